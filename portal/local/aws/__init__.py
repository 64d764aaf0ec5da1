"""The local AWS: ministack, with our own API Gateway in front of it.

ministack serves S3, SQS, DynamoDB, Lambda, Step Functions, CloudFormation and the rest. The layer
owns what the product stands on, to the semantics of the real service: API keys, usage plans,
usage, and every call to a deployed REST API. Nothing of ministack is patched; nothing here knows
Django.

    python -m portal.local.aws --port 4566 --state var/aws
    with LocalAWS(state_dir=path) as aws: …aws.url…       (portal.local.aws.server)

A call to a REST API goes through addresses (whose is it?), deployments and snapshots (what does its
stage serve?), routes, admission (key, throttles, quota), validation, and an integration. What the
gateway refuses itself is a gateway response, as the API customises it. `data_plane` has the order.
Of every call a line goes to the stage's access log, and on to the functions that subscribe to it.

Keys and usage plans belong to the whole account here, whatever the region. Not as on AWS: keys and
plans that a CloudFormation template makes (they reach ministack only, so make them by the API);
authorizers (a method that asks for one answers 500); and what ministack's CloudFormation drops of a
template (request validators, access logs): served, but not shown by GetMethod and GetStage.
"""

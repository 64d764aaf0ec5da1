"""The outside world of the tests, in threads of this process: the local AWS and the local payments.

One local AWS runs per process, so everybody shares it; its keys and plans are told apart by UUIDs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from django.conf import settings
from django.db import connection
from django.test import override_settings

from portal.local.aws.server import LocalAWS
from portal.local.payments.server import LocalPayments


def pointed_at_aws(aws: LocalAWS) -> override_settings:
    """Return the settings that point at a local AWS."""
    api_id, stage = settings.BACKEND_API_ID, settings.BACKEND_STAGE
    base = f"{aws.url}/_aws/execute-api/{api_id}/{stage}"
    return override_settings(AWS_ENDPOINT_URL=aws.url, API_BASE_URL=base)


def pointed_at_payments(payments: LocalPayments) -> override_settings:
    """Return the settings that point at local payments."""
    return override_settings(STRIPE_API_BASE=payments.url)


def local_payments_made(state_dir: Path) -> LocalPayments:
    """Return local payments, yet to be entered. Set `webhook_url` where needed."""
    return LocalPayments(
        state_dir=state_dir,
        secret_key=settings.STRIPE_SECRET_KEY,
        webhook_secret=settings.STRIPE_WEBHOOK_SECRET,
    )


@contextmanager
def local_payments_running(state_dir: Path) -> Iterator[LocalPayments]:
    """Run local payments, with the settings pointed at them."""
    with local_payments_made(state_dir) as payments, pointed_at_payments(payments):
        yield payments


def worker_environment() -> dict[str, str]:
    """Return the environment of a worker in a process of its own: the test's database and AWS."""
    given = connection.settings_dict
    address = f"sqlite:///{given['NAME']}"
    if connection.vendor != "sqlite":
        address = f"postgres://{given['USER']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": address,
        "REDIS_URL": settings.REDIS_URL,
        "AWS_ENDPOINT_URL": settings.AWS_ENDPOINT_URL or "",
    }


def ping_api_deploy(aws_url: str) -> None:
    """Deploy an API with the real one's id and stage, but only `GET /v1/ping`, keyed and MOCK."""
    client: Any = boto3.client("apigateway", endpoint_url=aws_url, region_name=settings.AWS_REGION)
    api_id = client.create_rest_api(name="ping", tags={"ms-custom-id": settings.BACKEND_API_ID})[
        "id"
    ]
    parent = client.get_resources(restApiId=api_id)["items"][0]["id"]
    for part in ("v1", "ping"):
        parent = client.create_resource(restApiId=api_id, parentId=parent, pathPart=part)["id"]
    method = {"restApiId": api_id, "resourceId": parent, "httpMethod": "GET"}
    client.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    client.put_integration(
        **method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    client.put_method_response(**method, statusCode="200")
    client.put_integration_response(
        **method, statusCode="200", responseTemplates={"application/json": '{"pong": true}'}
    )
    client.create_deployment(restApiId=api_id, stageName=settings.BACKEND_STAGE)

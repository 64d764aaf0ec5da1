"""Methods that call other AWS services by themselves, in both forms of URI."""

import json
from typing import Any

import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_function, unique
from tests.local.aws.program import Program

JSON = "application/json"
FORM = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}


def template(text: str) -> dict[str, str]:
    return {JSON: text}


class Queue:
    """A queue, and what is in it."""

    def __init__(self, aws: Program) -> None:
        self.client = aws.client("sqs")
        self.url = self.client.create_queue(QueueName=unique("queue"))["QueueUrl"]
        self.name = self.url.rpartition("/")[2]

    def take(self) -> dict[str, Any]:
        """The next message, which is there already."""
        received = self.client.receive_message(
            QueueUrl=self.url, MessageAttributeNames=["All"], WaitTimeSeconds=0
        )
        [message] = received["Messages"]
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        found: dict[str, Any] = message
        return found


@pytest.fixture(scope="module")
def queue(aws: Program) -> Queue:
    return Queue(aws)


def test_sqs_by_path(api: Api, call: Caller, queue: Queue) -> None:
    text = (
        "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        "&MessageAttribute.1.Name=request&MessageAttribute.1.Value.DataType=String"
        "&MessageAttribute.1.Value.StringValue=$context.requestId"
    )
    answers = {
        "202": {
            "selectionPattern": "200",
            "responseTemplates": template('{"id": "$context.requestId"}'),
        },
        "503": {"responseTemplates": template('{"sorry": true}')},
    }
    for name, target in (("path", queue.name), ("away", "no-such-queue")):
        api.service(
            f"/sqs/{name}",
            f"sqs:path/000000000000/{target}",
            answers,
            requestTemplates=template(text),
            requestParameters=FORM,
            passthroughBehavior="NEVER",
        )
    api.deploy()
    body = '{"text": "a&b=c+d é"}'
    headers = {"content-type": JSON}
    answer = call("/sqs/path", method="POST", content=body.encode(), headers=headers)
    assert answer.status_code == 202
    message = queue.take()
    assert message["Body"] == body
    request_id = answer.headers["x-amzn-requestid"]
    assert message["MessageAttributes"]["request"]["StringValue"] == request_id
    assert answer.json() == {"id": request_id}
    away = call("/sqs/away", method="POST", content=body.encode(), headers=headers)
    assert (away.status_code, away.json()) == (503, {"sorry": True})


def test_sqs_by_action_with_a_json_body(api: Api, call: Caller, queue: Queue) -> None:
    text = f'{{"QueueUrl": "{queue.url}", "MessageBody": "$input.path(\'$.text\')"}}'
    answers = {"200": {"responseTemplates": template('{"sent": $input.json("$.MessageId")}')}}
    api.service("/sqs/action", "sqs:action/SendMessage", answers, requestTemplates=template(text))
    api.deploy()
    sent = call("/sqs/action", method="POST", json={"text": "by action"}).json()["sent"]
    message = queue.take()
    assert (message["Body"], message["MessageId"]) == ("by action", sent)


def test_sqs_by_action_with_mapped_parameters(api: Api, call: Caller, queue: Queue) -> None:
    api.service(
        "/sqs/mapped",
        "sqs:action/SendMessage",
        method="GET",
        requestParameters={
            "integration.request.querystring.QueueUrl": f"'{queue.url}'",
            "integration.request.querystring.MessageBody": "method.request.querystring.text",
        },
    )
    api.deploy()
    assert call("/sqs/mapped?text=by%20query%26").status_code == 200
    assert queue.take()["Body"] == "by query&"


def test_sqs_by_action_with_a_form(api: Api, call: Caller, queue: Queue) -> None:
    text = (
        "QueueUrl=$util.urlEncode($stageVariables.queue)&MessageBody=$util.urlEncode($input.body)"
    )
    api.service("/sqs/form", "sqs:action/SendMessage", requestTemplates=template(text))
    api.deploy()
    operation = {"op": "replace", "path": "/variables/queue", "value": queue.url}
    api.gateway.update_stage(restApiId=api.id, stageName=STAGE, patchOperations=[operation])
    assert call("/sqs/form", method="POST", json={"a": "b c"}).status_code == 200
    assert json.loads(queue.take()["Body"]) == {"a": "b c"}


def test_sns_by_action(aws: Program, api: Api, call: Caller, queue: Queue) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{queue.name}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    api.service(
        "/sns",
        "sns:action/Publish",
        requestParameters={
            "integration.request.querystring.TopicArn": f"'{topic}'",
            "integration.request.querystring.Message": "method.request.body.text",
        },
    )
    api.deploy()
    assert call("/sns", method="POST", json={"text": "to all"}).status_code == 200
    assert json.loads(queue.take()["Body"])["Message"] == "to all"


def test_kinesis_by_action(aws: Program, api: Api, call: Caller) -> None:
    kinesis, stream = aws.client("kinesis"), unique("stream")
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    text = (
        f'{{"StreamName": "{stream}", "Data": "$util.base64Encode($input.body)",'
        ' "PartitionKey": "$context.requestId"}'
    )
    parameters = {"integration.request.header.Content-Type": "'application/x-amz-json-1.1'"}
    api.service(
        "/kinesis",
        "kinesis:action/PutRecord",
        requestTemplates=template(text),
        requestParameters=parameters,
    )
    api.deploy()
    answer = call("/kinesis", method="POST", json={"event": "é"})
    shard = answer.json()["ShardId"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    [record] = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert json.loads(record["Data"]) == {"event": "é"}
    assert record["PartitionKey"] == answer.headers["x-amzn-requestid"]


def test_step_functions_by_action(aws: Program, api: Api, call: Caller) -> None:
    states = aws.client("stepfunctions")
    machine = states.create_state_machine(
        name=unique("machine"),
        roleArn="arn:aws:iam::000000000000:role/machine",
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
    )["stateMachineArn"]
    text = (
        f'{{"stateMachineArn": "{machine}", "name": "$context.requestId",'
        ' "input": "{\\"request\\": $util.escapeJavaScript($input.json(\'$\'))}"}'
    )
    answers = {
        "202": {"selectionPattern": "200"},
        "409": {
            "selectionPattern": "400",
            "responseTemplates": template('{"why": $input.json("$.__type")}'),
        },
    }
    api.service("/states", "states:action/StartExecution", answers, requestTemplates=template(text))
    api.service(
        "/states/bad",
        "states:action/StartExecution",
        answers,
        requestTemplates=template('{"stateMachineArn": "arn:aws:states:us-east-1:0:nothing"}'),
    )
    api.deploy()
    answer = call("/states", method="POST", json={"upload": "u-1"})
    assert answer.status_code == 202
    execution = states.describe_execution(executionArn=answer.json()["executionArn"])
    assert execution["name"] == answer.headers["x-amzn-requestid"]
    assert json.loads(execution["input"]) == {"request": {"upload": "u-1"}}
    bad = call("/states/bad", method="POST", json={})
    assert bad.status_code == 409
    assert bad.json()["why"]


def test_dynamodb_by_action(aws: Program, api: Api, call: Caller) -> None:
    table = unique("table")
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    put = f'{{"TableName": "{table}", "Item": {{"pk": {{"S": $input.json(\'$.id\')}}}}}}'
    get = f'{{"TableName": "{table}", "Key": {{"pk": {{"S": "$input.params(\'id\')"}}}}}}'
    found = {
        "200": {
            "responseTemplates": template(
                "#set($item = $input.path('$.Item'))"
                '#if($item)#set($id = $item.pk.S){"id": "$id"}'
                "#else#set($context.responseOverride.status = 404){}#end"
            )
        }
    }
    api.service("/items", "dynamodb:action/PutItem", requestTemplates=template(put))
    api.service(
        "/items/{id}",
        "dynamodb:action/GetItem",
        found,
        method="GET",
        requestTemplates=template(get),
    )
    api.deploy()
    assert call("/items", method="POST", json={"id": "i 1"}).json() == {}
    here, gone = call("/items/i%201"), call("/items/i-2")
    assert (here.status_code, here.json()) == (200, {"id": "i 1"})
    assert (gone.status_code, gone.json()) == (404, {})


def test_s3_by_path(aws: Program, api: Api, call: Caller) -> None:
    s3, bucket = aws.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    parameters = {"integration.request.path.key": "method.request.path.key"}
    for method in ("PUT", "GET"):
        answers = {
            "200": {
                "selectionPattern": "200",
                "responseParameters": {
                    "method.response.header.Content-Type": (
                        "integration.response.header.Content-Type"
                    )
                },
            },
            "404": {"selectionPattern": "4..", "responseTemplates": template('{"gone": true}')},
        }
        api.service(
            "/files/{key}",
            f"s3:path/{bucket}/{{key}}",
            answers,
            method=method,
            integrationHttpMethod=method,
            requestParameters=parameters,
        )
    api.deploy()
    body = bytes(range(256))
    headers = {"content-type": "image/png"}
    assert call("/files/a%20b", method="PUT", content=body, headers=headers).status_code == 200
    assert s3.get_object(Bucket=bucket, Key="a b")["Body"].read() == body
    answer = call("/files/a%20b")
    assert (answer.content, answer.headers["content-type"]) == (body, "image/png")
    gone = call("/files/nothing")
    assert (gone.status_code, gone.json()) == (404, {"gone": True})


FUNCTION = """
import time


def handler(event, context):
    print("called")
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("raise"):
        raise ValueError(event["raise"])
    return {"event": event}
"""


def test_a_function_that_is_no_proxy(aws: Program, api: Api, call: Caller) -> None:
    arn = make_function(aws.client("lambda"), FUNCTION, Timeout=30)
    name, variable = arn.rpartition(":")[0], arn.rpartition(":")[2]
    answers = {
        "200": {"responseTemplates": template("$input.json('$.event')")},
        "400": {
            "selectionPattern": "bad .*",
            "responseTemplates": template('{"why": $input.json("$.errorMessage")}'),
        },
    }
    target = f"lambda:path/2015-03-31/functions/{name}:${{stageVariables.function}}/invocations"
    api.service("/function", target, answers)
    api.service("/function/late", target, answers, timeoutInMillis=50)
    api.deploy()
    operation = {"op": "replace", "path": "/variables/function", "value": variable}
    api.gateway.update_stage(restApiId=api.id, stageName=STAGE, patchOperations=[operation])
    assert call("/function", method="POST", json={"n": 1}).json() == {"n": 1}
    bad = call("/function", method="POST", json={"raise": "bad luck"})
    assert (bad.status_code, bad.json()) == (400, {"why": "bad luck"})
    other = call("/function", method="POST", json={"raise": "what else"})
    assert other.status_code == 200
    late = call("/function/late", method="POST", json={"sleep": 5})
    assert (late.status_code, late.json()) == (504, {"message": "Endpoint request timed out"})

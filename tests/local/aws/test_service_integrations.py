"""Methods that call other AWS services by themselves, in both forms of URI."""

import base64
import json
from typing import Any

import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_function, unique
from tests.local.aws.program import Program

JSON = "application/json"
FORM = {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"}


def service(
    api: Api,
    path: str,
    target: str,
    answers: dict[str, Any] | None = None,
    *,
    method: str = "POST",
    **settings: Any,
) -> None:
    """A method that calls `target`, as `sqs:action/SendMessage`."""
    at = api.method(path, method, keyed=False)
    kind = {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": f"arn:aws:apigateway:us-east-1:{target}",
    }
    api.gateway.put_integration(**at, **{**kind, **settings})
    for status, answer in (answers or {"200": {}}).items():
        api.gateway.put_method_response(**at, statusCode=status)
        api.gateway.put_integration_response(**at, statusCode=status, **answer)


def template(text: str, kind: str = JSON) -> dict[str, str]:
    return {kind: text}


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
        service(
            api,
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
    service(api, "/sqs/action", "sqs:action/SendMessage", answers, requestTemplates=template(text))
    api.deploy()
    sent = call("/sqs/action", method="POST", json={"text": "by action"}).json()["sent"]
    message = queue.take()
    assert (message["Body"], message["MessageId"]) == ("by action", sent)


def test_sqs_by_action_with_mapped_parameters(api: Api, call: Caller, queue: Queue) -> None:
    service(
        api,
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
    service(api, "/sqs/form", "sqs:action/SendMessage", requestTemplates=template(text))
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
    service(
        api,
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
    service(
        api,
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
    service(
        api, "/states", "states:action/StartExecution", answers, requestTemplates=template(text)
    )
    service(
        api,
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
    service(api, "/items", "dynamodb:action/PutItem", requestTemplates=template(put))
    service(
        api,
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
        service(
            api,
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
    service(api, "/function", target, answers)
    service(api, "/function/late", target, answers, timeoutInMillis=50)
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


@pytest.mark.parametrize(
    ("behaviour", "templates", "kind", "expected"),
    [
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, JSON, {"made": 1}),
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, "application/json; charset=utf-8", {"made": 1}),
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, None, {"made": 1}),
        ("WHEN_NO_MATCH", {JSON: '{"made": 1}'}, "text/x", {"sent": 1}),
        ("WHEN_NO_TEMPLATES", {JSON: '{"made": 1}'}, "text/x", None),
        ("WHEN_NO_TEMPLATES", {}, "text/x", {"sent": 1}),
        ("NEVER", {JSON: '{"made": 1}'}, JSON, {"made": 1}),
        ("NEVER", {JSON: '{"made": 1}'}, "text/x", None),
        ("NEVER", {}, JSON, None),
    ],
)
def test_what_passes_through_without_a_template(
    api: Api,
    call: Caller,
    echo: str,
    *,
    behaviour: str,
    templates: dict[str, str],
    kind: str | None,
    expected: Any,
) -> None:
    path = f"/{unique('passing')}"
    service(api, path, echo, requestTemplates=templates, passthroughBehavior=behaviour)
    api.deploy()
    headers = {"content-type": kind} if kind else {}
    answer = call(path, method="POST", content=b'{"sent": 1}', headers=headers)
    if expected is None:
        refused = (415, {"message": "Unsupported Media Type"})
        assert (answer.status_code, answer.json()) == refused
    else:
        assert answer.json() == {"event": expected}


@pytest.fixture(scope="module")
def echo(aws: Program) -> str:
    arn = make_function(aws.client("lambda"), FUNCTION)
    return f"lambda:path/2015-03-31/functions/{arn}/invocations"


def test_base64_becomes_bytes_where_that_is_asked(api: Api, call: Caller, echo: str) -> None:
    answers = {"200": {"responseTemplates": template("$input.json('$.event')")}}
    service(api, "/binary", echo, answers, contentHandling="CONVERT_TO_BINARY")
    api.deploy()
    encoded = base64.b64encode(b'{"a": "b"}')
    assert call("/binary", method="POST", content=encoded).json() == {"a": "b"}
    refused = call("/binary", method="POST", content=b"{}")
    assert (refused.status_code, refused.json()) == (500, {"message": "Internal server error"})


def test_the_answers_template_is_chosen_by_what_is_accepted(
    api: Api, call: Caller, echo: str
) -> None:
    answers = {"200": {"responseTemplates": {"text/xml": "<x/>", JSON: "{}"}}}
    service(api, "/accepted", echo, answers)
    api.deploy()
    for accept, kind, body in (
        ("text/xml", "text/xml", "<x/>"),
        ("text/html, text/xml;q=0.5", "text/xml", "<x/>"),
        ("text/html", JSON, "{}"),
        ("*/*", JSON, "{}"),
    ):
        answer = call("/accepted", method="POST", json={}, headers={"accept": accept})
        assert (answer.headers["content-type"], answer.text) == (kind, body)


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("nosuch:action/Do", {}),
        ("s3:action/GetObject", {}),
        ("sqs:action/SendMessage", {"requestTemplates": template("#set($x = )")}),
    ],
)
def test_what_cannot_be_called_is_a_mistake_of_the_api(
    api: Api, call: Caller, target: str, settings: dict[str, Any]
) -> None:
    path = f"/{unique('mistaken')}"
    service(api, path, target, **settings)
    api.deploy()
    answer = call(path, method="POST", json={})
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_a_template_that_fails_is_an_error_of_the_gateway(
    api: Api, call: Caller, echo: str
) -> None:
    failing = template("$util.parseJson('no json')")
    service(api, "/failing", echo, requestTemplates=failing)
    service(api, "/failing/answer", echo, {"200": {"responseTemplates": failing}})
    api.deploy()
    for path in ("/failing", "/failing/answer"):
        answer = call(path, method="POST", json={})
        assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_a_mocked_answer_that_is_known_refuses_other_media_types(api: Api, call: Caller) -> None:
    at = api.method("/mocked", "POST", keyed=False)
    api.gateway.put_integration(
        **at,
        type="MOCK",
        requestTemplates=template('{"statusCode": 200}'),
        passthroughBehavior="NEVER",
    )
    api.gateway.put_method_response(**at, statusCode="200")
    api.gateway.put_integration_response(**at, statusCode="200")
    api.deploy()
    kinds: list[dict[str, str]] = [{}, {"content-type": "text/x"}, {}]
    answers = [call("/mocked", method="POST", headers=headers) for headers in kinds]
    assert [answer.status_code for answer in answers] == [200, 415, 200]

"""What survives `kill -9`, and what a clean stop keeps."""

import itertools
import json
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.local.aws.apis import STAGE, Api, Caller, make_api, patch
from tests.local.aws.program import TODAY, Program, running
from tests.local.aws.usage import pairs, set_remaining

PINNED = "pinned00"


def deploy(program: Program) -> Api:
    """The same API under the same id, as a redeployed stack would be."""
    api = make_api(program.client("apigateway"), pinned_id=PINNED)
    api.mock("/ping")
    api.deploy()
    return api


def caller(program: Program, client: httpx.Client) -> Caller:
    return Caller(client, f"{program.url}/_aws/execute-api/{PINNED}/{STAGE}")


def test_a_killed_server_has_counted_every_call_that_it_answered(tmp_path: Path) -> None:
    with running(tmp_path) as program, httpx.Client() as client:
        api = deploy(program)
        plan_id = api.plan(quota={"limit": 50, "period": "MONTH"})
        key_id, key = api.key(plan_id)
        call = caller(program, client)
        assert [call("/ping", key).status_code for _ in range(30)] == [200] * 30
        program.kill()
    with running(tmp_path) as program, httpx.Client() as client:
        gateway = deploy(program).gateway
        assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[30, 20]]
        call = caller(program, client)
        answers = [call("/ping", key).status_code for _ in range(25)]
        assert answers == [200] * 20 + [429] * 5


def test_a_server_killed_in_the_middle_forgets_nothing_it_said(tmp_path: Path) -> None:
    threads = 8
    with running(tmp_path) as program, httpx.Client() as client:
        api = deploy(program)
        plan_id = api.plan(quota={"limit": 1_000_000, "period": "MONTH"})
        key_id, key = api.key(plan_id)
        call = caller(program, client)
        answered = itertools.count()

        def call_until_it_dies(number: int) -> int:
            for count in itertools.count():
                try:
                    assert call("/ping", key).status_code == 200
                except httpx.TransportError:
                    return count
                if next(answered) == 200:
                    program.kill()
            raise AssertionError

        with ThreadPoolExecutor(threads) as pool:
            seen = sum(pool.map(call_until_it_dies, range(threads)))
    assert seen > 200
    with running(tmp_path) as program:
        used, remaining = pairs(program.client("apigateway"), plan_id, key_id, TODAY, TODAY)[0]
        assert seen <= used <= seen + threads
        assert remaining == 1_000_000 - used


def test_every_change_of_the_control_plane_survives(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        api = deploy(program)
        gateway = api.gateway
        plan_id = api.plan(quota={"limit": 9, "period": "MONTH"}, tags={"a": "1"})
        key_id, value = api.key(plan_id)
        gone_id, _ = api.key(plan_id)
        gateway.update_usage_plan(usagePlanId=plan_id, patchOperations=patch("/name", "renamed"))
        gateway.update_api_key(apiKey=key_id, patchOperations=patch("/enabled", "false"))
        gateway.delete_api_key(apiKey=gone_id)
        set_remaining(gateway, plan_id, key_id, 4)
        program.kill()
    with running(tmp_path) as program:
        gateway = program.client("apigateway")
        plan = gateway.get_usage_plan(usagePlanId=plan_id)
        assert (plan["name"], plan["tags"]) == ("renamed", {"a": "1"})
        assert plan["apiStages"] == [{"apiId": PINNED, "stage": STAGE}]
        keys = gateway.get_api_keys(includeValues=True)["items"]
        assert [(key["id"], key["value"], key["enabled"]) for key in keys] == [
            (key_id, value, False)
        ]
        attached = gateway.get_usage_plan_keys(usagePlanId=plan_id)["items"]
        assert [key["id"] for key in attached] == [key_id]
        assert pairs(gateway, plan_id, key_id, TODAY, TODAY) == [[0, 4]]


def test_a_clean_stop_keeps_what_is_ministacks_too(tmp_path: Path) -> None:
    with running(tmp_path) as program, httpx.Client() as client:
        api = deploy(program)
        _, key = api.key(api.plan())
        s3 = program.client("s3")
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="it", Body=b"mine")
        assert caller(program, client)("/ping", key).status_code == 200
        assert program.stop() == 0
    with running(tmp_path) as program, httpx.Client() as client:
        body = program.client("s3").get_object(Bucket="kept", Key="it")["Body"].read()
        assert body == b"mine"
        assert caller(program, client)("/ping", key).status_code == 200


# An API under an id of its own, with something that belongs to it, as the backend's stack has.
TEMPLATE = json.dumps(
    {
        "Resources": {
            "Api": {
                "Type": "AWS::ApiGateway::RestApi",
                "Properties": {"Name": "x", "Tags": [{"Key": "ms-custom-id", "Value": PINNED}]},
            },
            "Refused": {
                "Type": "AWS::ApiGateway::GatewayResponse",
                "Properties": {"RestApiId": {"Ref": "Api"}, "ResponseType": "DEFAULT_4XX"},
            },
        }
    }
)


def make_stack(program: Program) -> None:
    """Raise where it does not come to be."""
    stacks = program.client("cloudformation")
    stacks.create_stack(StackName="x", TemplateBody=TEMPLATE)
    stacks.get_waiter("stack_create_complete").wait(StackName="x", WaiterConfig={"Delay": 0.1})
    gateway = program.client("apigateway")
    assert gateway.get_gateway_response(restApiId=PINNED, responseType="DEFAULT_4XX")


def test_killed_while_it_saves_it_starts_afresh(tmp_path: Path) -> None:
    kept = tmp_path / "ministack"
    with running(tmp_path) as program:
        make_stack(program)
        os.mkfifo(kept / "cloudformation.json.tmp")  # whoever opens it to write waits for a reader
        program.process.terminate()
        deadline = time.monotonic() + 30
        while not (kept / "apigateway_v1.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        program.kill()
    assert not (kept / "cloudformation.json").exists()
    with running(tmp_path) as program:
        make_stack(program)


def test_a_stack_that_was_being_made_is_made_again(tmp_path: Path) -> None:
    kept = tmp_path / "ministack" / "cloudformation.json"
    with running(tmp_path) as program:
        make_stack(program)
        assert program.stop() == 0
    half = kept.read_text().replace(
        '"StackStatus": "CREATE_COMPLETE"', '"StackStatus": "CREATE_IN_PROGRESS"'
    )
    kept.write_text(half)
    with running(tmp_path) as program:
        make_stack(program)
        assert program.stop() == 0
    with running(tmp_path) as program:  # and what was saved whole is there again
        stacks = program.client("cloudformation").describe_stacks(StackName="x")["Stacks"]
        assert [stack["StackStatus"] for stack in stacks] == ["CREATE_COMPLETE"]


def test_the_file_is_sound_after_a_kill(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        program.client("apigateway").create_api_key(name="x")
        program.kill()
    with sqlite3.connect(tmp_path / "gateway.sqlite3") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM api_key").fetchone() == (1,)
    db.close()

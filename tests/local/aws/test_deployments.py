"""A deployment serves what an API was when it was made, until the next one, and over restarts."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx

from tests.local.aws.apis import STAGE, Api, Caller, make_api
from tests.local.aws.program import Program, running


def caller(http: httpx.Client, api: Api, stage: str = STAGE, url: str = "") -> Caller:
    return Caller(http, f"{url}/_aws/execute-api/{api.id}/{stage}")


def test_a_deployment_that_nobody_called_is_a_snapshot_too(
    gateway: Any, http: httpx.Client
) -> None:
    api = make_api(gateway)
    api.mock("/first", keyed=False)
    api.deploy()
    api.mock("/second", keyed=False)
    gateway.delete_resource(restApiId=api.id, resourceId=api.resource("/first"))
    call = caller(http, api)
    assert (call("/first").status_code, call("/second").status_code) == (200, 403)


def test_changes_do_not_slip_in_while_faults_wait(
    gateway: Any, http: httpx.Client, control: Any
) -> None:
    control("fault", operation="CreateTable", when="before")
    api = make_api(gateway)
    api.mock("/first", keyed=False)
    api.deploy()
    api.mock("/second", keyed=False)
    call = caller(http, api)
    assert (call("/first").status_code, call("/second").status_code) == (200, 403)


def test_stages_serve_different_deployments(gateway: Any, http: httpx.Client) -> None:
    api = make_api(gateway)
    api.mock("/first", keyed=False)
    api.deploy("old")
    api.mock("/second", keyed=False)
    api.deploy("new")
    assert caller(http, api, "old")("/second").status_code == 403
    assert caller(http, api, "new")("/second").status_code == 200


def test_variables_act_without_a_deployment(gateway: Any, http: httpx.Client) -> None:
    api = make_api(gateway)
    api.mock("/who", keyed=False, body='"$stageVariables.name"')
    api.deploy()
    call = caller(http, api)
    for name in ("one", "two"):
        api.set_stage(**{"variables/name": name})
        assert call("/who").json() == name


def template(*paths: str, deployment: str) -> str:
    """An API with a MOCK method at each path, and a stage on a deployment of this logical id."""
    of_api = {"RestApiId": {"Ref": "Api"}}
    tag = {"Key": "ms-custom-id", "Value": "digest0"}
    resources: dict[str, Any] = {
        "Api": {
            "Type": "AWS::ApiGateway::RestApi",
            "Properties": {"Name": "digest", "Tags": [tag]},
        },
        "Strict": {
            "Type": "AWS::ApiGateway::RequestValidator",
            "Properties": {**of_api, "Name": "strict", "ValidateRequestParameters": True},
        },
        deployment: {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": [f"On{path}" for path in paths],
            "Properties": of_api,
        },
        "Stage": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {**of_api, "StageName": STAGE, "DeploymentId": {"Ref": deployment}},
        },
    }
    for path in paths:
        resources[path] = {
            "Type": "AWS::ApiGateway::Resource",
            "Properties": {
                **of_api,
                "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
                "PathPart": path,
            },
        }
        resources[f"On{path}"] = {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {
                **of_api,
                "ResourceId": {"Ref": path},
                "HttpMethod": "GET",
                "AuthorizationType": "NONE",
                "RequestValidatorId": {"Ref": "Strict"},
                "RequestParameters": {"method.request.querystring.needed": True},
                "Integration": {
                    "Type": "MOCK",
                    "RequestTemplates": {"application/json": '{"statusCode": 200}'},
                    "IntegrationResponses": [{"StatusCode": "200"}],
                },
            },
        }
    return json.dumps({"Resources": resources})


def test_a_stack_serves_a_change_with_its_next_deployment(
    aws: Program, gateway: Any, http: httpx.Client
) -> None:
    stacks = aws.client("cloudformation")
    call = caller(http, Api(gateway, "digest0"))

    def seen() -> list[int]:
        return [call(path, params={"needed": "1"}).status_code for path in ("/one", "/two")]

    def apply(verb: str, body: str) -> None:
        getattr(stacks, f"{verb}_stack")(StackName="digest", TemplateBody=body)
        waiter = stacks.get_waiter(f"stack_{verb}_complete")
        waiter.wait(StackName="digest", WaiterConfig={"Delay": 1})

    apply("create", template("one", deployment="DeploymentA"))
    assert call("/one").status_code == 400  # its validator came with the deployment
    assert seen() == [200, 403]
    apply("update", template("one", "two", deployment="DeploymentA"))
    assert seen() == [200, 403]
    apply("update", template("one", "two", deployment="DeploymentB"))
    assert seen() == [200, 200]
    # What others change in between is not served either.
    Api(gateway, "digest0").mock("/three", keyed=False)
    apply("update", template("one", deployment="DeploymentB"))
    assert [*seen(), call("/three").status_code] == [200, 200, 403]
    stacks.delete_stack(StackName="digest")
    stacks.get_waiter("stack_delete_complete").wait(StackName="digest", WaiterConfig={"Delay": 1})


def test_a_restart_serves_what_was_deployed(tmp_path: Path) -> None:
    with running(tmp_path) as program, httpx.Client() as client:
        api = make_api(program.client("apigateway"))
        api.mock("/first", keyed=False)
        api.gateway.put_gateway_response(
            restApiId=api.id, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404"
        )
        api.deploy()
        api.mock("/second", keyed=False)
        api.gateway.delete_gateway_response(
            restApiId=api.id, responseType="MISSING_AUTHENTICATION_TOKEN"
        )
        assert program.stop() == 0
    with running(tmp_path) as program, httpx.Client() as client:
        call = caller(client, api, url=program.url)
        assert (call("/first").status_code, call("/second").status_code) == (200, 404)
        again = Api(program.client("apigateway"), api.id)
        again.deploy()
        assert (call("/second").status_code, call("/nowhere").status_code) == (200, 403)


def test_deployments_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    with running(tmp_path) as program:
        gateway = program.client("apigateway")
        kept, gone = make_api(gateway), make_api(gateway)
        for api in (kept, gone):
            api.mock("/ping")
            api.deploy()
        old = gateway.get_stage(restApiId=kept.id, stageName=STAGE)["deploymentId"]
        kept.deploy()
        new = gateway.get_stage(restApiId=kept.id, stageName=STAGE)["deploymentId"]
        gateway.delete_deployment(restApiId=kept.id, deploymentId=old)
        gateway.delete_rest_api(restApiId=gone.id)
        kept.mock("/more")
        program.kill()
    with sqlite3.connect(tmp_path / "gateway.sqlite3") as db:
        assert db.execute("SELECT api_id, id FROM deployment").fetchall() == [(kept.id, new)]
    db.close()

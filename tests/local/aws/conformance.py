"""What a real call of every operation of API Gateway must show, told in scenarios.

A scenario makes something, reads it back, changes it, lists it and deletes it, through a client
that holds every answer against botocore's model of the operation: status, members and types.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from portal.local.aws.operations import model
from tests.local.aws.apis import unique
from tests.local.aws.program import TODAY

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}
# What ministack adds to a deployment's summary; SDKs pass over it.
ADDED = frozenset(("authorizationScopes",))


class Watched:
    """A client of API Gateway; `called` are the operations that it was answered well."""

    def __init__(self, gateway: Any) -> None:
        self.gateway = gateway
        self.called: set[str] = set()
        gateway.meta.events.register("after-call.api-gateway", self._check)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call: Callable[..., Any] = getattr(self.gateway, name)
        return call

    def _check(self, http_response: Any, model: Any, **_: Any) -> None:
        if http_response.status_code >= 300:
            return
        assert http_response.status_code == (model.http.get("responseCode") or 200), model.name
        if model.output_shape is None:
            assert http_response.content == b"", model.name
        else:
            hold(json.loads(http_response.content), model.output_shape, model.name)
        self.called.add(model.name)


def hold(value: Any, shape: Any, where: str) -> None:
    """Assert that a value on the wire is what a shape says."""
    if value is None:
        return
    assert type(value) in KINDS[shape.type_name], f"{where}: {value!r}"
    if shape.type_name == "structure":
        members = {
            member.serialization.get("name", name): member for name, member in shape.members.items()
        }
        unknown = set(value) - set(members)
        assert unknown <= ADDED, f"{where}: {unknown}"
        for name in set(value) & set(members):
            hold(value[name], members[name], f"{where}.{name}")
    elif shape.type_name == "map":
        for name, part in value.items():
            hold(part, shape.value, f"{where}.{name}")
    elif shape.type_name == "list":
        for part in value:
            hold(part, shape.member, f"{where}[]")


def refused(code: str, call: Callable[..., Any], **settings: Any) -> str:
    """Assert that a call is refused by this code; returns the message."""
    with pytest.raises(ClientError) as raised:
        call(**settings)
    assert raised.value.response["Error"]["Code"] == code, raised.value
    return str(raised.value.response["Error"]["Message"])


def patches(*triples: tuple[str, str, str | None]) -> list[dict[str, str]]:
    return [
        {"op": op, "path": path, **({} if value is None else {"value": value})}
        for op, path, value in triples
    ]


def shown(document: dict[str, Any], **expected: Any) -> None:
    """Assert that a document shows these values, among others."""
    assert {name: document.get(name) for name in expected} == expected


def new_api(client: Watched) -> dict[str, str]:
    return {"restApiId": client.create_rest_api(name=unique("conforming"))["id"]}


def account(client: Watched) -> None:
    role = "arn:aws:iam::000000000000:role/logs"
    before = client.get_account()
    assert before["throttleSettings"]["burstLimit"] > 0
    client.update_account(patchOperations=patches(("replace", "/cloudwatchRoleArn", role)))
    shown(client.get_account(), cloudwatchRoleArn=role)
    refused(
        "BadRequestException",
        client.update_account,
        patchOperations=patches(("replace", "/apiKeyVersion", "9")),
    )


def rest_api(client: Watched) -> None:
    made = client.create_rest_api(
        name="whole", description="d", binaryMediaTypes=["image/png"], tags={"a": "1"}
    )
    at = {"restApiId": made["id"]}
    shown(
        client.get_rest_api(**at),
        name="whole",
        description="d",
        binaryMediaTypes=["image/png"],
        rootResourceId=made["rootResourceId"],
    )
    client.update_rest_api(
        **at,
        patchOperations=patches(
            ("replace", "/name", "changed"),
            ("add", "/binaryMediaTypes/image~1gif", None),
            ("remove", "/binaryMediaTypes/image~1png", None),
            ("replace", "/minimumCompressionSize", "1024"),
            ("replace", "/disableExecuteApiEndpoint", "true"),
            ("replace", "/endpointConfiguration/types/REGIONAL", "EDGE"),
        ),
    )
    shown(
        client.get_rest_api(**at),
        name="changed",
        description="d",
        binaryMediaTypes=["image/gif"],
        minimumCompressionSize=1024,
        disableExecuteApiEndpoint=True,
    )
    assert client.get_rest_api(**at)["endpointConfiguration"]["types"] == ["EDGE"]
    for triple in (
        ("replace", "/id", "mine"),
        ("replace", "/nonsense", "x"),
        ("replace", "/minimumCompressionSize", "many"),
        ("replace", "/disableExecuteApiEndpoint", "maybe"),
        ("copy", "/name", "x"),
        ("replace", "name", "x"),
    ):
        operations = patches(triple)
        refused("BadRequestException", client.update_rest_api, **at, patchOperations=operations)
    shown(client.get_rest_api(**at), name="changed", minimumCompressionSize=1024)
    pages = client.gateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2})
    assert made["id"] in {item["id"] for page in pages for item in page["items"]}
    message = refused("BadRequestException", client.create_rest_api, name="x", cloneFrom=made["id"])
    assert message == "cloneFrom of CreateRestApi is not supported by the local AWS"
    client.delete_rest_api(**at)
    refused("NotFoundException", client.get_rest_api, **at)
    refused(
        "NotFoundException",
        client.update_rest_api,
        **at,
        patchOperations=patches(("replace", "/name", "x")),
    )


def resources(client: Watched) -> None:
    at = new_api(client)
    root = client.get_resources(**at)["items"][0]
    assert root["path"] == "/"
    above = client.create_resource(**at, parentId=root["id"], pathPart="above")
    below = client.create_resource(**at, parentId=above["id"], pathPart="{below+}")
    beside = client.create_resource(**at, parentId=root["id"], pathPart="above-all")
    shown(below, path="/above/{below+}", pathPart="{below+}", parentId=above["id"])
    shown(client.get_resource(**at, resourceId=below["id"]), path="/above/{below+}")
    refused(
        "ConflictException", client.create_resource, **at, parentId=root["id"], pathPart="above"
    )
    client.delete_resource(**at, resourceId=above["id"])
    left = {item["path"] for item in client.get_resources(**at)["items"]}
    assert left == {"/", beside["path"]}
    refused("NotFoundException", client.get_resource, **at, resourceId=below["id"])
    refused("BadRequestException", client.delete_resource, **at, resourceId=root["id"])
    refused("NotFoundException", client.delete_resource, **at, resourceId=above["id"])


def methods(client: Watched) -> None:
    at = new_api(client)
    root = client.get_resources(**at)["items"][0]["id"]
    at |= {"resourceId": root, "httpMethod": "POST"}
    client.put_method(
        **at,
        authorizationType="NONE",
        apiKeyRequired=True,
        requestParameters={"method.request.querystring.q": True},
        requestModels={"application/json": "Empty"},
    )
    refused("ConflictException", client.put_method, **at, authorizationType="NONE")
    client.update_method(
        **at,
        patchOperations=patches(
            ("replace", "/apiKeyRequired", "false"),
            ("add", "/requestParameters/method.request.header.h", "false"),
            ("add", "/requestModels/text~1xml", "Empty"),
            ("remove", "/requestModels/application~1json", None),
        ),
    )
    shown(
        client.get_method(**at),
        apiKeyRequired=False,
        requestParameters={
            "method.request.querystring.q": True,
            "method.request.header.h": False,
        },
        requestModels={"text/xml": "Empty"},
    )
    status = {**at, "statusCode": "200"}
    client.put_method_response(**status, responseModels={"application/json": "Empty"})
    refused("ConflictException", client.put_method_response, **status)
    client.update_method_response(
        **status,
        patchOperations=patches(("add", "/responseParameters/method.response.header.h", "true")),
    )
    shown(
        client.get_method_response(**status),
        statusCode="200",
        responseModels={"application/json": "Empty"},
        responseParameters={"method.response.header.h": True},
    )
    integrations(client, at)
    client.delete_method_response(**status)
    refused("NotFoundException", client.get_method_response, **status)
    client.delete_method(**at)
    refused("NotFoundException", client.get_method, **at)


def integrations(client: Watched, at: dict[str, str]) -> None:
    client.put_integration(
        **at,
        type="HTTP",
        integrationHttpMethod="GET",
        uri="http://upstream.example/",
        requestTemplates={"application/json": "{}"},
        timeoutInMillis=1000,
    )
    client.update_integration(
        **at,
        patchOperations=patches(
            ("replace", "/uri", "http://elsewhere.example/"),
            ("replace", "/timeoutInMillis", "2000"),
            ("add", "/requestTemplates/text~1xml", "<x/>"),
            ("add", "/requestParameters/integration.request.header.h", "'v'"),
            ("add", "/cacheKeyParameters/integration.request.header.h", None),
        ),
    )
    shown(
        client.get_integration(**at),
        type="HTTP",
        httpMethod="GET",
        uri="http://elsewhere.example/",
        timeoutInMillis=2000,
        requestTemplates={"application/json": "{}", "text/xml": "<x/>"},
        requestParameters={"integration.request.header.h": "'v'"},
        cacheKeyParameters=["integration.request.header.h"],
    )
    message = refused(
        "BadRequestException",
        client.put_integration,
        **at,
        type="HTTP",
        integrationHttpMethod="GET",
        uri="http://x.example/",
        connectionType="VPC_LINK",
        connectionId="link",
    )
    assert message == "connectionId of PutIntegration is not supported by the local AWS"
    status = {**at, "statusCode": "200"}
    client.put_integration_response(
        **status, selectionPattern="2..", responseTemplates={"application/json": "{}"}
    )
    client.update_integration_response(
        **status,
        patchOperations=patches(
            ("replace", "/selectionPattern", ""),
            ("replace", "/responseTemplates/application~1json", '{"a": 1}'),
            ("add", "/responseParameters/method.response.header.h", "'v'"),
        ),
    )
    shown(
        client.get_integration_response(**status),
        statusCode="200",
        selectionPattern="",
        responseTemplates={"application/json": '{"a": 1}'},
        responseParameters={"method.response.header.h": "'v'"},
    )
    whole = client.get_method(**at)["methodIntegration"]
    assert whole["integrationResponses"]["200"]["responseTemplates"] == {
        "application/json": '{"a": 1}'
    }
    client.delete_integration_response(**status)
    refused("NotFoundException", client.get_integration_response, **status)
    client.delete_integration(**at)
    refused("NotFoundException", client.get_integration, **at)


def models(client: Watched) -> None:
    at = new_api(client)
    schema = '{"type": "object"}'
    client.create_model(**at, name="Thing", contentType="application/json", schema=schema)
    refused(
        "ConflictException", client.create_model, **at, name="Thing", contentType="application/json"
    )
    named = {**at, "modelName": "Thing"}
    client.update_model(**named, patchOperations=patches(("replace", "/description", "d")))
    shown(
        client.get_model(**named),
        name="Thing",
        description="d",
        schema=schema,
        contentType="application/json",
    )
    refused(
        "BadRequestException",
        client.update_model,
        **named,
        patchOperations=patches(("replace", "/name", "Other")),
    )
    assert "Thing" in {item["name"] for item in client.get_models(**at)["items"]}
    client.delete_model(**named)
    refused("NotFoundException", client.get_model, **named)


def validators(client: Watched) -> None:
    at = new_api(client)
    made = client.create_request_validator(**at, name="v", validateRequestBody=True)
    one = {**at, "requestValidatorId": made["id"]}
    client.update_request_validator(
        **one,
        patchOperations=patches(
            ("replace", "/validateRequestBody", "false"),
            ("replace", "/validateRequestParameters", "true"),
        ),
    )
    expected = {"name": "v", "validateRequestBody": False, "validateRequestParameters": True}
    shown(client.get_request_validator(**one), **expected)
    [listed] = client.get_request_validators(**at)["items"]
    shown(listed, id=made["id"], **expected)
    client.delete_request_validator(**one)
    refused("NotFoundException", client.get_request_validator, **one)


def authorizers(client: Watched) -> None:
    at = new_api(client)
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations"
    source = "method.request.header.Authorization"
    made = client.create_authorizer(
        **at, name="a", type="TOKEN", authorizerUri=uri, identitySource=source
    )
    one = {**at, "authorizerId": made["id"]}
    pools = ("add", "/providerARNs", "arn:aws:cognito-idp:us-east-1:000000000000:userpool/p")
    ttl = ("replace", "/authorizerResultTtlInSeconds", "60")
    client.update_authorizer(**one, patchOperations=patches(ttl, pools))
    shown(
        client.get_authorizer(**one),
        name="a",
        type="TOKEN",
        authorizerUri=uri,
        identitySource=source,
        authorizerResultTtlInSeconds=60,
        providerARNs=[pools[2]],
    )
    assert [item["id"] for item in client.get_authorizers(**at)["items"]] == [made["id"]]
    client.delete_authorizer(**one)
    refused("NotFoundException", client.get_authorizer, **one)


def gateway_responses(client: Watched) -> None:
    at = new_api(client)
    one = {**at, "responseType": "THROTTLED"}
    shown(client.get_gateway_response(**one), statusCode="429", defaultResponse=True)
    client.put_gateway_response(
        **one,
        statusCode="420",
        responseParameters={"gatewayresponse.header.Retry-After": "'1'"},
        responseTemplates={"application/json": "{}"},
    )
    client.update_gateway_response(
        **one,
        patchOperations=patches(
            ("replace", "/statusCode", "430"),
            ("add", "/responseParameters/gatewayresponse.header.X", "'x'"),
            ("add", "/responseTemplates/text~1plain", "slow"),
        ),
    )
    expected = {
        "statusCode": "430",
        "defaultResponse": False,
        "responseParameters": {
            "gatewayresponse.header.Retry-After": "'1'",
            "gatewayresponse.header.X": "'x'",
        },
        "responseTemplates": {"application/json": "{}", "text/plain": "slow"},
    }
    shown(client.get_gateway_response(**one), **expected)
    listed = {item["responseType"]: item for item in client.get_gateway_responses(**at)["items"]}
    shown(listed["THROTTLED"], **expected)
    assert listed["QUOTA_EXCEEDED"]["defaultResponse"] is True
    client.delete_gateway_response(**one)
    shown(client.get_gateway_response(**one), statusCode="429", defaultResponse=True)


def documentation(client: Watched) -> None:
    at = new_api(client)
    location = {"type": "METHOD", "path": "/x", "method": "GET"}
    made = client.create_documentation_part(**at, location=location, properties='{"a": 1}')
    one = {**at, "documentationPartId": made["id"]}
    changed = patches(("replace", "/properties", '{"a": 2}'))
    client.update_documentation_part(**one, patchOperations=changed)
    shown(client.get_documentation_part(**one), properties='{"a": 2}', location=location)
    assert len(client.get_documentation_parts(**at, type="METHOD")["items"]) == 1
    assert client.get_documentation_parts(**at, type="MODEL")["items"] == []
    client.delete_documentation_part(**one)
    refused("NotFoundException", client.get_documentation_part, **one)


def stages(client: Watched) -> None:
    at = new_api(client)
    root = client.get_resources(**at)["items"][0]["id"]
    client.put_method(**at, resourceId=root, httpMethod="GET", authorizationType="NONE")
    first = client.create_deployment(**at, description="one", stageName="a")["id"]
    second = client.create_deployment(**at)["id"]
    deployed = {**at, "deploymentId": first}
    changed = patches(("replace", "/description", "the first"))
    client.update_deployment(**deployed, patchOperations=changed)
    shown(client.get_deployment(**deployed), id=first, description="the first")
    assert {item["id"] for item in client.get_deployments(**at)["items"]} == {first, second}
    client.create_stage(
        **at, stageName="b", deploymentId=second, description="d", variables={"v": "1"}
    )
    one = {**at, "stageName": "b"}
    client.update_stage(
        **one,
        patchOperations=patches(
            ("replace", "/variables/w", "a/b"),
            ("remove", "/variables/v", None),
            ("replace", "/tracingEnabled", "true"),
            ("replace", "/deploymentId", first),
            ("replace", "/accessLogSettings/format", "$context.requestId"),
            ("replace", "/*/*/throttling/rateLimit", "12.5"),
            ("replace", "/*/*/throttling/burstLimit", "7"),
            ("replace", "/~1x/GET/logging/dataTrace", "true"),
        ),
    )
    stage = client.get_stage(**one)
    shown(
        stage,
        variables={"w": "a/b"},
        tracingEnabled=True,
        deploymentId=first,
        description="d",
        accessLogSettings={"format": "$context.requestId"},
    )
    everywhere = stage["methodSettings"]["*/*"]
    shown(everywhere, throttlingRateLimit=12.5, throttlingBurstLimit=7, loggingLevel="OFF")
    assert sum(each["dataTraceEnabled"] for each in stage["methodSettings"].values()) == 1
    client.update_stage(**one, patchOperations=patches(("remove", "/*/*", None)))
    assert "*/*" not in client.get_stage(**one)["methodSettings"]
    for triple in (
        ("replace", "/stageName", "c"),
        ("replace", "/canarySettings/x", "1"),
        ("replace", "/*/*/throttling/rateLimit", "many"),
        ("replace", "/*/*/throttling/nonsense", "1"),
        ("replace", "/*/*", "1"),
        ("replace", "/methodSettings/*~1*/throttlingRateLimit", "1"),
    ):
        operations = patches(triple)
        refused("BadRequestException", client.update_stage, **one, patchOperations=operations)
    canary = {"percentTraffic": 50.0}
    for call, settings in (
        (client.create_stage, {"stageName": "c", "deploymentId": first}),
        (client.create_deployment, {"stageName": "a"}),
    ):
        refused("BadRequestException", call, **at, **settings, canarySettings=canary)

    def named(**filters: str) -> set[str]:
        return {item["stageName"] for item in client.get_stages(**at, **filters)["item"]}

    assert named() == named(deploymentId=first) == {"a", "b"}
    assert named(deploymentId=second) == set()
    nowhere = patches(("replace", "/deploymentId", "nosuch"))
    refused("BadRequestException", client.update_stage, **one, patchOperations=nowhere)
    for name, deployment, code in (
        ("b", first, "ConflictException"),
        ("c", "nosuch", "BadRequestException"),
    ):
        refused(code, client.create_stage, **at, stageName=name, deploymentId=deployment)
    refused("BadRequestException", client.delete_deployment, **at, deploymentId=first)
    client.delete_deployment(**at, deploymentId=second)
    refused("NotFoundException", client.get_deployment, **at, deploymentId=second)
    client.delete_stage(**one)
    refused("NotFoundException", client.get_stage, **one)


def domains(client: Watched) -> None:
    api = new_api(client)
    client.create_deployment(**api, stageName="s")
    name = {"domainName": f"{unique('d')}.example.org"}
    client.create_domain_name(**name, endpointConfiguration={"types": ["REGIONAL"]})
    shown(client.get_domain_name(**name), **name, endpointConfiguration={"types": ["REGIONAL"]})
    listed = client.get_domain_names(limit=500)["items"]
    assert name["domainName"] in {item["domainName"] for item in listed}
    client.create_base_path_mapping(**name, **api, basePath="v1", stage="s")
    for target in ({"restApiId": "nosuch"}, {**api, "stage": "nosuch"}):
        refused("BadRequestException", client.create_base_path_mapping, **name, **target)
    mapping = {**name, "basePath": "v1"}
    expected = {"basePath": "v1", "restApiId": api["restApiId"], "stage": "s"}
    shown(client.get_base_path_mapping(**mapping), **expected)
    refused("ConflictException", client.create_domain_name, **name)
    refused("ConflictException", client.create_base_path_mapping, **name, **api, basePath="v1")
    [listed] = client.get_base_path_mappings(**name)["items"]
    shown(listed, **expected)
    client.delete_base_path_mapping(**mapping)
    refused("NotFoundException", client.get_base_path_mapping, **mapping)
    client.delete_domain_name(**name)
    refused("NotFoundException", client.get_domain_name, **name)


def keys_and_plans(client: Watched) -> None:
    api = new_api(client)
    client.create_deployment(**api, stageName="s")
    key = client.create_api_key(name=unique("conforming"), enabled=True)
    at_key = {"apiKey": key["id"]}
    client.update_api_key(**at_key, patchOperations=patches(("replace", "/enabled", "false")))
    shown(client.get_api_key(**at_key, includeValue=True), enabled=False, value=key["value"])
    assert "value" not in client.get_api_key(**at_key)
    [listed] = client.get_api_keys(nameQuery=key["name"])["items"]
    shown(listed, id=key["id"])
    plan = client.create_usage_plan(
        name=unique("conforming"),
        apiStages=[{"apiId": api["restApiId"], "stage": "s"}],
        throttle={"rateLimit": 1.5, "burstLimit": 2},
        quota={"limit": 5, "period": "DAY"},
    )
    at_plan = {"usagePlanId": plan["id"]}
    client.update_usage_plan(**at_plan, patchOperations=patches(("replace", "/quota/limit", "6")))
    shown(client.get_usage_plan(**at_plan), quota={"limit": 6, "offset": 0, "period": "DAY"})
    joined = {**at_plan, "keyId": key["id"]}
    client.create_usage_plan_key(**joined, keyType="API_KEY")
    shown(client.get_usage_plan_key(**joined), id=key["id"], name=key["name"])
    [attached] = client.get_usage_plan_keys(**at_plan)["items"]
    shown(attached, id=key["id"])
    assert [item["id"] for item in client.get_usage_plans(keyId=key["id"])["items"]] == [plan["id"]]
    client.update_usage(**joined, patchOperations=patches(("replace", "/remaining", "3")))
    usage = client.get_usage(**at_plan, startDate=TODAY, endDate=TODAY)
    assert usage["items"] == {key["id"]: [[0, 3]]}
    client.delete_usage_plan_key(**joined)
    refused("NotFoundException", client.get_usage_plan_key, **joined)
    client.update_usage_plan(
        **at_plan, patchOperations=patches(("remove", "/apiStages", f"{api['restApiId']}:s"))
    )
    client.delete_usage_plan(**at_plan)
    refused("NotFoundException", client.get_usage_plan, **at_plan)
    client.delete_api_key(**at_key)
    refused("NotFoundException", client.get_api_key, **at_key)


def tags(client: Watched) -> None:
    api = client.create_rest_api(name="tagged", tags={"a": "1"})["id"]
    client.create_deployment(restApiId=api, stageName="s")
    key = client.create_api_key(name="tagged", tags={"a": "1"})["id"]
    plan = client.create_usage_plan(name="tagged", tags={"a": "1"})["id"]
    client.tag_resource(
        resourceArn=f"arn:aws:apigateway:us-east-1::/restapis/{api}/stages/s", tags={"a": "1"}
    )
    shows: dict[str, Callable[[], Any]] = {
        f"restapis/{api}": lambda: client.get_rest_api(restApiId=api),
        f"restapis/{api}/stages/s": lambda: client.get_stage(restApiId=api, stageName="s"),
        f"apikeys/{key}": lambda: client.get_api_key(apiKey=key),
        f"usageplans/{plan}": lambda: client.get_usage_plan(usagePlanId=plan),
    }
    for path, show in shows.items():
        arn = {"resourceArn": f"arn:aws:apigateway:us-east-1::/{path}"}
        client.tag_resource(**arn, tags={"b": "2", "c": "3"})
        client.untag_resource(**arn, tagKeys=["a", "b"])
        assert client.get_tags(**arn)["tags"] == show()["tags"] == {"c": "3"}
    for path, code in (
        ("restapis/nosuch", "NotFoundException"),
        ("apikeys/nosuch", "NotFoundException"),
        ("vpclinks/x", "BadRequestException"),
    ):
        arn = {"resourceArn": f"arn:aws:apigateway:us-east-1::/{path}"}
        refused(code, client.get_tags, **arn)


Scenario = Callable[[Watched], None]

SCENARIOS: dict[Scenario, str] = {
    account: "GetAccount UpdateAccount",
    rest_api: "CreateRestApi GetRestApi GetRestApis UpdateRestApi DeleteRestApi",
    resources: "CreateResource GetResource GetResources DeleteResource",
    methods: "PutMethod GetMethod UpdateMethod DeleteMethod"
    " PutMethodResponse GetMethodResponse UpdateMethodResponse DeleteMethodResponse"
    " PutIntegration GetIntegration UpdateIntegration DeleteIntegration"
    " PutIntegrationResponse GetIntegrationResponse UpdateIntegrationResponse"
    " DeleteIntegrationResponse",
    models: "CreateModel GetModel GetModels UpdateModel DeleteModel",
    validators: "CreateRequestValidator GetRequestValidator GetRequestValidators"
    " UpdateRequestValidator DeleteRequestValidator",
    authorizers: "CreateAuthorizer GetAuthorizer GetAuthorizers UpdateAuthorizer DeleteAuthorizer",
    gateway_responses: "PutGatewayResponse GetGatewayResponse GetGatewayResponses"
    " UpdateGatewayResponse DeleteGatewayResponse",
    documentation: "CreateDocumentationPart GetDocumentationPart GetDocumentationParts"
    " UpdateDocumentationPart DeleteDocumentationPart",
    stages: "CreateDeployment GetDeployment GetDeployments UpdateDeployment DeleteDeployment"
    " CreateStage GetStage GetStages UpdateStage DeleteStage",
    domains: "CreateDomainName GetDomainName GetDomainNames DeleteDomainName"
    " CreateBasePathMapping GetBasePathMapping GetBasePathMappings DeleteBasePathMapping",
    keys_and_plans: "CreateApiKey GetApiKey GetApiKeys UpdateApiKey DeleteApiKey"
    " CreateUsagePlan GetUsagePlan GetUsagePlans UpdateUsagePlan DeleteUsagePlan"
    " CreateUsagePlanKey GetUsagePlanKey GetUsagePlanKeys DeleteUsagePlanKey"
    " GetUsage UpdateUsage",
    tags: "GetTags TagResource UntagResource",
}
SCENARIO_OF = {name: scenario for scenario, names in SCENARIOS.items() for name in names.split()}


def any_value(shape: Any) -> Any:
    """A value that botocore lets pass: what an unsupported operation is called with."""
    match shape.type_name:
        case "structure":
            return {name: any_value(shape.members[name]) for name in shape.required_members}
        case "list":
            return [any_value(shape.member)]
        case "map":
            return {}
        case "blob":
            return b"{}"
        case "string":
            return shape.enum[0] if shape.enum else "anything"
    raise AssertionError(f"no value for {shape.type_name}")


def any_input(name: str) -> dict[str, Any]:
    found: dict[str, Any] = any_value(model().operation_model(name).input_shape)
    return found

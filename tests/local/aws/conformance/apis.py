"""APIs and what they are made of: resources, methods, integrations; the account."""

from tests.local.aws.conformance.checks import Watched, new_api, patches, refused, shown


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

"""What an API has beside its methods."""

from tests.local.aws.conformance.checks import Watched, new_api, patches, refused, shown


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

from collections.abc import Callable, Iterator

import boto3
import httpx
import pytest
from django.test import override_settings

from portal.local.aws.server import LocalAWS
from tenants import gateway
from tenants.models import User


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory) -> Iterator[LocalAWS]:
    with (
        LocalAWS(state_dir=tmp_path_factory.mktemp("aws")) as aws,
        override_settings(AWS_ENDPOINT_URL=aws.url),
    ):
        gateway._client.cache_clear()
        yield aws


@pytest.fixture(scope="session")
def gateway_api(local_aws) -> str:
    c = boto3.client("apigateway", endpoint_url=local_aws.url, region_name="us-east-1")
    api = c.create_rest_api(name="sekisho", tags={"ms-custom-id": "sekisho"})["id"]
    root = c.get_resources(restApiId=api)["items"][0]["id"]
    v1 = c.create_resource(restApiId=api, parentId=root, pathPart="v1")["id"]
    ping = c.create_resource(restApiId=api, parentId=v1, pathPart="ping")["id"]
    c.put_method(
        restApiId=api,
        resourceId=ping,
        httpMethod="GET",
        authorizationType="NONE",
        apiKeyRequired=True,
    )
    c.put_integration(
        restApiId=api,
        resourceId=ping,
        httpMethod="GET",
        type="MOCK",
        requestTemplates={"application/json": '{"statusCode": 200}'},
    )
    c.put_method_response(restApiId=api, resourceId=ping, httpMethod="GET", statusCode="200")
    c.put_integration_response(
        restApiId=api,
        resourceId=ping,
        httpMethod="GET",
        statusCode="200",
        responseTemplates={"application/json": '{"pong": true}'},
    )
    c.create_deployment(restApiId=api, stageName="live")
    return f"{local_aws.url}/_aws/execute-api/{api}/live"


@pytest.fixture
def call(gateway_api) -> Iterator[Callable[[str | None], httpx.Response]]:
    with httpx.Client() as client:
        yield lambda value: client.get(
            f"{gateway_api}/v1/ping", headers={"x-api-key": value} if value else {}
        )


@pytest.fixture
def alice_user(db) -> User:
    return User.objects.create_user("alice@example.org", "x")

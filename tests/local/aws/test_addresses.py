"""Every address of an API leads through admission, and to the right method."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.local.aws.apis import STAGE, Api, make_api, make_function, unique
from tests.local.aws.program import Program


@pytest.fixture(scope="module")
def domain(gateway: Any, api: Api) -> Iterator[str]:
    """A custom domain with a mapping to the stage, one to the API, and one at the root."""
    name = f"{unique('api')}.example.com"
    gateway.create_domain_name(domainName=name)
    gateway.create_base_path_mapping(
        domainName=name, basePath="staged", restApiId=api.id, stage=STAGE
    )
    gateway.create_base_path_mapping(domainName=name, basePath="whole", restApiId=api.id)
    gateway.create_base_path_mapping(domainName=name, restApiId=api.id, stage=STAGE)
    yield name
    gateway.delete_domain_name(domainName=name)


FORMS = [
    ("", "/_aws/execute-api/{api}/{stage}/ping"),
    ("", "/_aws%2Fexecute-api/{api}/{stage}/ping"),
    ("", "/restapis/{api}/{stage}/_user_request_/ping"),
    ("{api}.execute-api.localhost:4566", "/{stage}/ping"),
    ("{api}.execute-api.us-east-1.amazonaws.com", "/{stage}/ping"),
    ("{domain}", "/staged/ping"),
    ("{domain}:443", "/whole/{stage}/ping"),
    ("{domain}", "/ping"),
]


@pytest.mark.parametrize(("host", "path"), FORMS)
def test_no_address_gets_past_admission(
    http: httpx.Client, api: Api, domain: str, host: str, path: str
) -> None:
    names = {"api": api.id, "stage": STAGE, "domain": domain}
    headers = {"host": host.format(**names)} if host else {}
    url = path.format(**names)
    refused = http.get(url, headers=headers)
    assert (refused.status_code, refused.json()) == (403, {"message": "Forbidden"})
    assert refused.headers["x-amzn-ErrorType"] == "ForbiddenException"
    _, key = api.key(api.plan(quota={"limit": 1, "period": "MONTH"}))
    answers = [http.get(url, headers={**headers, "x-api-key": key}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]


def test_an_api_of_another_region_is_not_missed(aws: Program, http: httpx.Client) -> None:
    api = make_api(aws.client("apigateway", region="eu-west-1"))
    api.mock("/ping")
    api.deploy()
    with pytest.raises(ClientError, match="Invalid API identifier"):
        aws.client("apigateway").get_rest_api(restApiId=api.id)
    url = f"/_aws/execute-api/{api.id}/{STAGE}/ping"
    assert http.get(url).json() == {"message": "Forbidden"}
    _, key = api.key(api.plan())
    assert http.get(url, headers={"x-api-key": key}).json() == {"ok": True}


def test_an_unknown_stage_is_forbidden(http: httpx.Client, api: Api) -> None:
    answer = http.get(f"/_aws/execute-api/{api.id}/nosuch/ping")
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


def test_an_unknown_api_is_not_found(http: httpx.Client) -> None:
    assert http.get(f"/_aws/execute-api/nosuchapi0/{STAGE}/ping").status_code == 404


VERSION = """
def handler(event, context):
    print("called")
    return {"statusCode": 200, "body": event["version"]}
"""


def test_an_http_api_is_left_to_ministack(aws: Program, http: httpx.Client) -> None:
    http_apis = aws.client("apigatewayv2")
    api_id = http_apis.create_api(Name="x", ProtocolType="HTTP")["ApiId"]
    http_apis.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    integration = http_apis.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=make_function(aws.client("lambda"), VERSION),
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    http_apis.create_route(ApiId=api_id, RouteKey="$default", Target=f"integrations/{integration}")
    answer = http.get(f"/_aws/execute-api/{api_id}/$default/anything")
    assert (answer.status_code, answer.text) == (200, "2.0")


def test_an_id_with_a_hyphen_has_a_host_too(gateway: Any, http: httpx.Client) -> None:
    api = make_api(gateway, pinned_id="pinned-by-hand")
    api.mock("/open", keyed=False)
    api.deploy()
    host = "pinned-by-hand.execute-api.localhost"
    assert http.get(f"/{STAGE}/open", headers={"host": host}).json() == {"ok": True}


def test_a_bucket_may_be_called_like_an_api_resource(aws: Program) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="apikeys")
    s3.put_object(Bucket="apikeys", Key="usage", Body=b"mine")
    assert s3.get_object(Bucket="apikeys", Key="usage")["Body"].read() == b"mine"

"""Every address of an API leads through admission, and to the right method."""

from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.local.aws.apis import STAGE, Api, make_api, make_function, unique
from tests.local.aws.program import Program


@pytest.fixture(scope="module")
def domain(gateway: Any, api: Api) -> Iterator[str]:
    """A custom domain with a mapping to the stage, one to the API, and one at the root."""
    who = '{"key":"$context.identity.apiKeyId","path":"$context.resourcePath"'
    api.mock("/who", body=who + ',"stage":"$context.stage"}')
    api.mock("/ours", keyed=False, body=TEMPLATE)
    api.mock("/one/{id}", keyed=False, body='{"id":"$input.params(\'id\')"}')
    api.deploy()
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


def seen(aws: Program, host: str, target: str) -> tuple[int, bytes]:
    """Status and body for a request line and a host that are sent as they are, without a key."""
    connection = HTTPConnection(aws.url.removeprefix("http://"))
    connection.putrequest("GET", target, skip_host=True)
    for value in host.split("|"):
        connection.putheader("Host", value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


# What ministack's own data plane would not render.
TEMPLATE, OURS = "$util.base64Encode('x')", b"eA=="

TRICKS = [
    ("localhost", "//_aws/execute-api/{api}/{stage}/ping"),
    ("localhost", "/_aws//execute-api/{api}/{stage}/ping"),
    ("localhost", "/_aws/execute-api//{api}/{stage}/ping"),
    ("localhost", "/_aws/execute-api/{api}//{stage}/ping"),
    ("localhost", "/_aws/execute-api/{api}/{stage}//ping"),
    ("localhost", "/_aws/execute-api/{api}%2F{stage}%2Fping"),
    ("localhost", "/%5Faws/execute-api/{api}/{stage}/ping"),
    ("localhost", "/x/../_aws/execute-api/{api}/{stage}/ping"),
    ("localhost", "/_aws/execute-api/{api}/{stage}/./ping"),
    ("localhost", "/_AWS/execute-api/{api}/{stage}/ping"),
    ("localhost", "/restapis/{api}/{stage}/_user_request_//ping"),
    ("localhost", "/restapis/{api}%2F{stage}/_user_request_/ping"),
    ("localhost", "/restapis/{api}/{stage}/_user_request_%2Fping"),
    ("localhost", "//restapis/{api}/{stage}/_user_request_/ping"),
    ("localhost", "/restapis/{api}//_user_request_/{stage}/ping"),
    ("localhost", "/ping"),
    ("{api}.execute-api.localhost", "//{stage}/ping"),
    ("{api}.execute-api.localhost", "/{stage}%2Fping"),
    ("{api}.EXECUTE-API.LOCALHOST:80", "/{stage}/ping"),
    ("{api}.execute-api.localhost.", "/{stage}/ping"),
    ("{api}.execute-api.localhost", "/_aws/execute-api/nosuch/{stage}/ping"),
    ("nosuch.execute-api.localhost", "/_aws/execute-api/{api}/{stage}/ping"),
    ("nosuch.execute-api.localhost", "/restapis/{api}/{stage}/_user_request_/ping"),
    ("{domain}", "/_aws/execute-api/{api}/{stage}/ping"),
    ("{domain}", "/_aws/execute-api/nosuch/{stage}/ping"),
    ("{DOMAIN}", "/staged/ping"),
    ("{domain}.", "/staged/ping"),
    ("{domain}:80:80", "/staged/ping"),
    ("{domain}:x", "/ping"),
    ("{domain}", "//staged/ping"),
    ("{domain}", "/staged//ping"),
    ("{domain}", "/staged%2Fping"),
    ("{domain}", "/st%61ged/ping"),
    ("{domain}", "/whole%2F{stage}%2Fping"),
    ("{domain}", "/ping/"),
    ("localhost|{domain}", "/ping"),
    ("{domain}:80|localhost:80", "/ping"),
]


@pytest.mark.parametrize(("host", "target"), TRICKS)
def test_no_trick_leads_past_this_layer(
    aws: Program, api: Api, domain: str, host: str, target: str
) -> None:
    """Whatever it is taken for: no key, no answer; and ministack's own data plane never answers."""
    names = {"api": api.id, "stage": STAGE, "domain": domain, "DOMAIN": domain.upper()}
    host, target = host.format(**names), target.format(**names)
    status, body = seen(aws, host, target)
    assert status in (301, 400, 403, 404)
    assert b'"ok"' not in body
    status, body = seen(aws, host, target.replace("ping", "ours"))
    assert (status, body) == (200, OURS) or status in (301, 400, 403, 404)


def test_a_stage_of_any_name_is_guarded(aws: Program, gateway: Any) -> None:
    """ministack goes by the host where the path says something else."""
    api = make_api(gateway)
    api.mock("/execute-api/nosuch/ours", keyed=False, body=TEMPLATE)
    api.mock("/nosuch/live/_user_request_", keyed=False, body=TEMPLATE)
    for stage in ("_aws", "restapis"):
        api.deploy(stage)
    host = f"{api.id}.execute-api.localhost"
    for target in ("/_aws/execute-api/nosuch/ours", "/restapis/nosuch/live/_user_request_"):
        assert seen(aws, host, target) == (200, OURS)


@pytest.mark.parametrize(("host", "path"), FORMS)
def test_every_address_tells_the_backend_whose_key_it_is(
    http: httpx.Client, api: Api, domain: str, host: str, path: str
) -> None:
    names = {"api": api.id, "stage": STAGE, "domain": domain}
    key_id, key = api.key(api.plan())
    headers = {"x-api-key": key} | ({"host": host.format(**names)} if host else {})
    answer = http.get(path.format(**names).replace("/ping", "/who"), headers=headers)
    assert answer.json() == {"key": key_id, "path": "/who", "stage": STAGE}


def test_an_encoded_slash_is_no_slash(http: httpx.Client, api: Api, domain: str) -> None:
    for base, host in ((f"/_aws/execute-api/{api.id}/{STAGE}", None), ("/staged", domain)):
        headers = {"host": host} if host else {}
        answer = http.get(f"{base}/one/a%2Fb%20c", headers=headers)
        assert answer.json() == {"id": "a/b c"}


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

"""HTTP and HTTP_PROXY methods, with a real upstream behind them."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.aws.apis import STAGE, Api, Caller
from tests.local.aws.upstreams import upstream_running


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with upstream_running() as address:
        yield address


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """An address on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def proxy(api: Api, path: str, uri: str, method: str = "ANY", **settings: Any) -> None:
    at = api.method(path, method, keyed=False)
    api.gateway.put_integration(
        **at, **{"type": "HTTP_PROXY", "integrationHttpMethod": method, "uri": uri, **settings}
    )


def mapped(api: Api, path: str, uri: str, answers: dict[str, Any], **settings: Any) -> None:
    """An HTTP method without "proxy", and its integration responses by status."""
    at = api.method(path, "POST", keyed=False)
    kind = {"type": "HTTP", "integrationHttpMethod": "POST", "uri": uri}
    api.gateway.put_integration(**at, **{**kind, **settings})
    for status, answer in answers.items():
        api.gateway.put_method_response(**at, statusCode=status)
        api.gateway.put_integration_response(**at, statusCode=status, **answer)


@pytest.fixture(scope="module")
def methods(api: Api, upstream: str, nobody: str) -> None:
    base = f"http://{upstream}"
    proxy(api, "/http/echo", f"{base}/echo")
    proxy(
        api,
        "/http/any/{proxy+}",
        "http://${stageVariables.upstream}/echo/{proxy}",
        requestParameters={"integration.request.path.proxy": "method.request.path.proxy"},
    )
    proxy(api, "/http/as-put", f"{base}/echo", "POST", integrationHttpMethod="PUT")
    proxy(
        api,
        "/http/mapped/{id}",
        f"{base}/echo/{{place}}?fixed=1",
        requestParameters={
            "integration.request.path.place": "method.request.querystring.place",
            "integration.request.querystring.id": "method.request.path.id",
            "integration.request.querystring.again": "method.request.multivaluequerystring.again",
            "integration.request.header.X-Secret": "stageVariables.secret",
            "integration.request.header.X-Stage": "context.stage",
            "integration.request.header.X-Static": "'it is'",
            "integration.request.header.X-Agent": "method.request.header.User-Agent",
            "integration.request.header.X-Field": "method.request.body.field",
            "integration.request.header.X-Nothing": "method.request.header.X-Not-Sent",
        },
    )
    for name in ("cookies", "status/418", "html", "gzip", "moved", "named"):
        proxy(api, f"/http/{name}", f"{base}/{name}")
    proxy(api, "/http/slow", f"{base}/slow", timeoutInMillis=50)
    proxy(api, "/http/nobody", f"http://{nobody}/")
    proxy(api, "/http/no-address", f"ftp://{nobody}/")
    json_body = "application/json"
    mapped(
        api,
        "/http/custom",
        f"{base}/echo",
        {"200": {"responseTemplates": {json_body: "$input.json('$')"}}},
        requestTemplates={json_body: '{"n": $input.json(\'$.number\'), "by": "$context.stage"}'},
        requestParameters={"integration.request.header.X-Mapped": "'yes'"},
    )
    mapped(
        api,
        "/http/overridden",
        f"{base}/echo/{{place}}",
        {
            "200": {
                "responseTemplates": {
                    json_body: "#set($context.responseOverride.status = 202)"
                    "#set($context.responseOverride.header.kind = 'new')$input.json('$')"
                }
            }
        },
        requestTemplates={
            json_body: "#set($context.requestOverride.path.place = 'a b')"
            "#set($context.requestOverride.querystring.q = 'é')"
            "#set($context.requestOverride.header.mine = $input.params('x-mine'))sent"
        },
        requestParameters={"integration.request.header.mine": "'mapped'"},
    )
    picked = {
        "200": {"selectionPattern": "200"},
        "404": {
            "selectionPattern": r"4\d\d",
            "responseTemplates": {json_body: '{"was": $input.path("$.status")}'},
            "responseParameters": {
                "method.response.header.X-Kind": "integration.response.header.X-Kind",
                "method.response.header.X-Was": "integration.response.body.status",
                "method.response.header.X-Static": "'s'",
                "method.response.header.X-None": "integration.response.header.X-None",
            },
        },
    }
    place = {"integration.request.path.status": "method.request.querystring.status"}
    uri = f"{base}/status/{{status}}"
    mapped(api, "/http/picked", uri, picked, requestParameters=place)
    default = {"503": {"responseTemplates": {json_body: '{"sorry": true}'}}}
    mapped(api, "/http/defaulted", uri, picked | default, requestParameters=place)
    mapped(api, "/http/plain-html", f"{base}/html", {"200": {}})
    mapped(api, "/http/down", f"http://{nobody}/", {"200": {}})
    api.deploy()
    variables = {"upstream": upstream, "secret": "s3cret"}
    api.gateway.update_stage(
        restApiId=api.id,
        stageName=STAGE,
        patchOperations=[
            {"op": "replace", "path": f"/variables/{name}", "value": value}
            for name, value in variables.items()
        ],
    )


pytestmark = pytest.mark.usefixtures("methods")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_proxy_passes_the_call_on(call: Caller, method: str) -> None:
    answer = call(
        "/http/echo?a=1&a=2&b=%20x&empty=",
        method=method,
        content=b'{"a": 1}',
        headers={"content-type": "application/json", "x-own": "o", "x-api-key": "k" * 20},
    )
    seen = answer.json()
    assert (answer.status_code, seen["method"]) == (200, method)
    assert seen["path"] == "/echo?a=1&a=2&b=+x&empty="
    assert seen["body"] == '{"a": 1}'
    headers = seen["headers"]
    assert headers["x-own"] == "o"
    assert headers["x-api-key"] == "k" * 20
    assert headers["content-type"] == "application/json"
    assert headers["x-forwarded-for"] == "127.0.0.1"


def test_a_head_has_no_body(call: Caller) -> None:
    answer = call("/http/echo", method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")


def test_headers_of_the_connection_stay_here(call: Caller, upstream: str) -> None:
    headers = {"te": "trailers", "expect": "nothing", "connection": "close", "via": "x"}
    seen = call("/http/echo", headers=headers).json()["headers"]
    assert seen["host"] == upstream
    assert not {"te", "expect", "via"} & set(seen)


def test_who_called_is_added_to_what_the_caller_claims(call: Caller) -> None:
    seen = call("/http/echo", headers={"x-forwarded-for": "192.0.2.1"}).json()["headers"]
    assert seen["x-forwarded-for"] == "192.0.2.1, 127.0.0.1"


@pytest.mark.parametrize(
    ("sent", "arrived"),
    [
        ("a/b/c", "a/b/c"),
        ("a%20b", "a%20b"),
        ("%C3%A9", "%C3%A9"),
        ("100%25", "100%25"),
        ("q%3Fx%23y", "q%3Fx%23y"),
        ("a%2Fb", "a/b"),
        ("a~b-c_d.e", "a~b-c_d.e"),
        ("a:b@c&d=e+f", "a%3Ab%40c%26d%3De%2Bf"),
    ],
)
def test_a_greedy_path_arrives_encoded(call: Caller, sent: str, arrived: str) -> None:
    assert call(f"/http/any/{sent}").json()["path"] == f"/echo/{arrived}"


@pytest.mark.parametrize("sent", ["%2E%2E/%2E%2E/secret", "..%2F..%2Fsecret", "x/..%2f..%2fsecret"])
def test_a_greedy_path_does_not_climb_out(call: Caller, sent: str) -> None:
    path = call(f"/http/any/{sent}").json()["path"]
    assert path.startswith("/echo/")
    assert "/../" not in path + "/"


def test_the_integration_may_have_a_method_of_its_own(call: Caller) -> None:
    assert call("/http/as-put", method="POST").json()["method"] == "PUT"


def test_mappings_fill_path_query_and_headers(call: Caller) -> None:
    seen = call(
        "/http/mapped/7?place=over%20here&again=1&again=2",
        method="POST",
        json={"field": "f"},
        headers={"x-secret": "forged", "user-agent": "tests"},
    ).json()
    address, _, query = seen["path"].partition("?")
    assert address == "/echo/over%20here"
    own = ["place=over+here", "again=1", "again=2"]
    assert query.split("&") == ["fixed=1", *own, "id=7", "again=1", "again=2"]
    headers = seen["headers"]
    assert headers["x-secret"] == "s3cret"
    assert [name for name, _ in seen["pairs"]].count("x-secret") == 1
    assert headers["x-stage"] == STAGE
    assert headers["x-static"] == "it is"
    assert headers["x-agent"] == "tests"
    assert headers["x-field"] == "f"
    assert "x-nothing" not in headers


def test_an_answer_comes_back_whole(call: Caller) -> None:
    cookies = call("/http/cookies").headers.get_list("set-cookie")
    assert cookies == ["a=1", "b=2; Path=/"]
    teapot = call("/http/status/418")
    assert (teapot.status_code, teapot.json(), teapot.headers["x-kind"]) == (
        418,
        {"status": 418},
        "status",
    )
    page = call("/http/html")
    assert (page.headers["content-type"], page.text) == ("text/html; charset=utf-8", "<p>é</p>")


def test_a_compressed_answer_is_read(call: Caller) -> None:
    answer = call("/http/gzip")
    assert answer.json() == {"small": 1}
    assert "content-encoding" not in answer.headers


def test_a_redirect_is_the_callers_to_follow(call: Caller) -> None:
    answer = call("/http/moved")
    assert (answer.status_code, answer.headers["location"]) == (302, "/echo")


def test_some_headers_of_an_answer_get_another_name(call: Caller) -> None:
    headers = call("/http/named").headers
    assert headers["x-amzn-remapped-www-authenticate"] == "Basic"
    assert headers["x-amzn-remapped-x-amzn-requestid"] == "upstream's"
    assert headers["x-amzn-remapped-server"].startswith("BaseHTTP")
    assert len(headers.get_list("x-amzn-requestid")) == len(headers.get_list("date")) == 1
    assert headers["x-amzn-requestid"] != "upstream's"
    assert "server" not in headers


def test_an_upstream_that_is_slow_or_away(call: Caller) -> None:
    slow, away = call("/http/slow"), call("/http/nobody")
    assert (slow.status_code, slow.json()) == (504, {"message": "Endpoint request timed out"})
    network = {"message": "Network error communicating with endpoint"}
    assert (away.status_code, away.json()) == (504, network)
    down = call("/http/down", method="POST")
    assert (down.status_code, down.json()) == (504, network)


def test_an_address_that_is_none_is_a_mistake_of_the_api(call: Caller) -> None:
    answer = call("/http/no-address")
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_without_proxy_only_what_is_mapped_is_sent(call: Caller, api: Api) -> None:
    answer = call("/http/custom?a=1", method="POST", json={"number": 7}, headers={"x-own": "o"})
    seen = answer.json()
    assert (seen["method"], seen["path"]) == ("POST", "/echo")
    assert seen["body"] == f'{{"n": 7, "by": "{STAGE}"}}'
    assert seen["headers"]["x-mapped"] == "yes"
    assert seen["headers"]["user-agent"] == f"AmazonAPIGateway_{api.id}"
    assert seen["headers"]["accept"] == seen["headers"]["content-type"] == "application/json"
    assert "x-own" not in seen["headers"]
    assert answer.headers["content-type"] == "application/json"


def test_templates_may_override_the_request_and_the_answer(call: Caller) -> None:
    answer = call("/http/overridden", method="POST", json={}, headers={"X-Mine": "m"})
    assert answer.status_code == 202
    assert answer.headers["kind"] == "new"
    seen = answer.json()
    assert (seen["path"], seen["body"]) == ("/echo/a%20b?q=%C3%A9", "sent")
    assert seen["headers"]["mine"] == "m"


def test_an_integration_response_is_picked_by_status(call: Caller) -> None:
    good, gone = (call(f"/http/picked?status={status}", method="POST") for status in (200, 410))
    assert (good.status_code, good.json()) == (200, {"status": 200})
    assert (gone.status_code, gone.json()) == (404, {"was": 410})
    headers = gone.headers
    assert (headers["x-kind"], headers["x-was"], headers["x-static"]) == ("status", "410", "s")
    assert "x-none" not in headers
    assert "x-kind" not in good.headers


def test_the_default_answer_is_for_what_no_pattern_knows(call: Caller) -> None:
    answer = call("/http/defaulted?status=500", method="POST")
    assert (answer.status_code, answer.json()) == (503, {"sorry": True})
    missing = call("/http/picked?status=500", method="POST")
    assert (missing.status_code, missing.json()) == (500, {"message": "Internal server error"})


def test_without_a_mapping_an_answer_is_json(call: Caller) -> None:
    answer = call("/http/plain-html", method="POST")
    assert (answer.headers["content-type"], answer.text) == ("application/json", "<p>é</p>")

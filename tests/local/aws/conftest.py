"""One local AWS for all of these tests, with one API on it; its controls are reset after each."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.local.aws.apis import STAGE, Api, Caller, make_api
from tests.local.aws.program import NOON, Program, running


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with running(tmp_path_factory.mktemp("local-aws")) as program:
        yield program


@pytest.fixture(scope="session")
def gateway(aws: Program) -> Any:
    return aws.client("apigateway")


@pytest.fixture(scope="session")
def http(aws: Program) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=aws.url) as client:
        yield client


@pytest.fixture(scope="session")
def api(gateway: Any) -> Api:
    """`/ping` needs a key, `/open` does not."""
    api = make_api(gateway)
    api.mock("/ping")
    api.mock("/open", keyed=False)
    api.deploy()
    return api


@pytest.fixture(scope="session")
def call(http: httpx.Client, api: Api) -> Caller:
    return Caller(http, f"/_aws/execute-api/{api.id}/{STAGE}")


@pytest.fixture
def control(http: httpx.Client) -> Iterator[Any]:
    """Posts to a control; they go back to how they were after the test."""

    def post(name: str, **body: Any) -> dict[str, Any]:
        answer = http.post(f"/_sekisho/{name}", json=body)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    yield post
    post("clock", now=NOON)
    post("usage-lag", seconds=0)
    post("attach", keeps=False)
    http.delete("/_sekisho/fault").raise_for_status()

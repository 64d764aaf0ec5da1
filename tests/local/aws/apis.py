"""A deployed REST API, made as a client of AWS would, and calls to it."""

import io
import itertools
import zipfile
from dataclasses import dataclass
from typing import Any

import httpx

STAGE = "live"

_numbers = itertools.count()


def unique(name: str) -> str:
    """A name that no other test uses."""
    return f"{name}-{next(_numbers)}"


def patch(path: str, value: str | None = None, op: str = "replace") -> list[dict[str, str]]:
    """The operations of a request that patches one thing."""
    return [{"op": op, "path": path, **({} if value is None else {"value": value})}]


@dataclass(frozen=True)
class Api:
    """A REST API under construction, by boto3."""

    gateway: Any
    id: str

    def resource(self, path: str) -> str:
        """The id of a resource, made with its parents where they are missing."""
        known: dict[str, str] = {
            item["path"]: item["id"]
            for item in self.gateway.get_resources(restApiId=self.id, limit=500)["items"]
        }
        parent, parts = known["/"], [part for part in path.split("/") if part]
        for depth, part in enumerate(parts, start=1):
            here = "/" + "/".join(parts[:depth])
            if here not in known:
                known[here] = self.gateway.create_resource(
                    restApiId=self.id, parentId=parent, pathPart=part
                )["id"]
            parent = known[here]
        return parent

    def method(self, path: str, method: str, *, keyed: bool, **settings: Any) -> dict[str, str]:
        """A method, in place of one that may be there."""
        at = {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": method}
        self.gateway.delete_method(**at)
        self.gateway.put_method(**at, authorizationType="NONE", apiKeyRequired=keyed, **settings)
        return at

    def mock(
        self,
        path: str,
        method: str = "GET",
        *,
        keyed: bool = True,
        body: str = '{"ok":true}',
        status: str = "200",
        headers: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """A MOCK method that answers `body`."""
        at = self.method(path, method, keyed=keyed, **settings)
        template = f'{{"statusCode": {status}}}'
        self.gateway.put_integration(
            **at, type="MOCK", requestTemplates={"application/json": template}
        )
        names = [f"method.response.header.{name}" for name in headers or {}]
        self.gateway.put_method_response(
            **at, statusCode=status, responseParameters=dict.fromkeys(names, True)
        )
        self.gateway.put_integration_response(
            **at,
            statusCode=status,
            responseTemplates={"application/json": body},
            responseParameters={
                f"method.response.header.{name}": f"'{value}'"
                for name, value in (headers or {}).items()
            },
        )

    def service(
        self,
        path: str,
        target: str,
        answers: dict[str, Any] | None = None,
        *,
        method: str = "POST",
        **settings: Any,
    ) -> None:
        """A method that calls another service, `sqs:action/SendMessage`; its integration responses
        are given by status."""
        at = self.method(path, method, keyed=False)
        uri = f"arn:aws:apigateway:us-east-1:{target}"
        self.gateway.put_integration(
            **at, **{"type": "AWS", "integrationHttpMethod": "POST", "uri": uri, **settings}
        )
        for status, answer in (answers or {"200": {}}).items():
            self.gateway.put_method_response(**at, statusCode=status)
            self.gateway.put_integration_response(**at, statusCode=status, **answer)

    def function(
        self, path: str, method: str, arn: str, *, keyed: bool = True, timeout_ms: int | None = None
    ) -> None:
        """A Lambda proxy method."""
        at = self.method(path, method, keyed=keyed)
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        limit = {"timeoutInMillis": timeout_ms} if timeout_ms else {}
        self.gateway.put_integration(
            **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, **limit
        )

    def set_stage(self, **values: str | None) -> None:
        """Patch the stage `live`: paths without their first slash to values; None removes."""
        self.gateway.update_stage(
            restApiId=self.id,
            stageName=STAGE,
            patchOperations=[
                {"op": "remove", "path": f"/{path}"}
                if value is None
                else {"op": "replace", "path": f"/{path}", "value": value}
                for path, value in values.items()
            ],
        )

    def deploy(self, stage: str = STAGE) -> None:
        self.gateway.create_deployment(restApiId=self.id, stageName=stage)

    def plan(self, **settings: Any) -> str:
        """A usage plan on the stage `live`; returns its id."""
        stages = [{"apiId": self.id, "stage": STAGE}]
        plan = self.gateway.create_usage_plan(
            **{"name": unique("plan"), "apiStages": stages, **settings}
        )
        return str(plan["id"])

    def key(self, plan_id: str | None, **settings: Any) -> tuple[str, str]:
        """An enabled key, in a plan if one is given; returns id and value."""
        key = self.gateway.create_api_key(**{"name": unique("key"), "enabled": True, **settings})
        if plan_id:
            self.gateway.create_usage_plan_key(
                usagePlanId=plan_id, keyId=key["id"], keyType="API_KEY"
            )
        return key["id"], key["value"]


def make_api(gateway: Any, *, pinned_id: str | None = None) -> Api:
    tags = {"tags": {"ms-custom-id": pinned_id}} if pinned_id else {}
    return Api(gateway, gateway.create_rest_api(name=unique("api"), **tags)["id"])


@dataclass(frozen=True)
class Caller:
    """Calls an API's stage `live`."""

    client: httpx.Client
    base: str

    def __call__(
        self, path: str, key: str | None = None, method: str = "GET", **options: Any
    ) -> httpx.Response:
        headers = {**({"x-api-key": key} if key else {}), **options.pop("headers", {})}
        return self.client.request(method, self.base + path, headers=headers, **options)


def statuses(call: Caller, key: str, times: int) -> list[int]:
    """What `/ping` answers, time after time."""
    return [call("/ping", key).status_code for _ in range(times)]


def make_function(lambdas: Any, source: str, **settings: Any) -> str:
    """A Python function from its module's source; returns its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", source)
    function = lambdas.create_function(
        FunctionName=unique("function"),
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/functions",
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        **settings,
    )
    return str(function["FunctionArn"])

"""What a deployment serves: the methods of an API, its models, validators and gateway responses.

ministack keeps no snapshots: there, a method is served as soon as it exists. Here all of it is read
when a deployment is new, kept in the store for as long as the deployment exists, and compiled when
it is first called. So what is changed later waits for the next deployment, through restarts, too.
One that a stack makes may be read while the stack is still being worked on: what it does not depend
on may be missing then, as on AWS.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portal.local.aws import upstream
from portal.local.aws.customised_responses import CustomisedResponses
from portal.local.aws.routes import RouteTable
from portal.local.aws.store import Store
from portal.local.aws.validation import Validations

Json = dict[str, Any]
Deployment = tuple[str, str]  # the API's id, the deployment's id
_TYPE = "AWS::ApiGateway::"
_PARTS = ("resources", "models", "requestvalidators", "gatewayresponses")


@dataclass(frozen=True)
class Snapshot:
    """What is served, ready to be called."""

    routes: RouteTable
    responses: CustomisedResponses


class Snapshots:
    def __init__(self, store: Store) -> None:
        self._db = store.db
        self._compiled: dict[Deployment, Snapshot] = {}

    async def of(self, api_id: str, deployment_id: str, region: str) -> Snapshot:
        """A deployment's snapshot, read now where it is new."""
        at = (api_id, deployment_id)
        if snapshot := self._compiled.get(at):
            return snapshot
        document = self._stored(at)
        if document is None:
            document = await _read(api_id, region)
            self._keep(at, document)
        snapshot = self._compiled[at] = _compile(api_id, document, region)
        return snapshot

    async def settle(self) -> None:
        """Keep what the deployments of now serve, before anything is changed; forget those gone."""
        deployed = upstream.deployments()
        known = {(row["api_id"], row["id"]) for row in self._db.execute(_LIST)}
        for at in known - deployed.keys():
            self._db.execute("DELETE FROM deployment WHERE api_id = ? AND id = ?", at)
            self._compiled.pop(at, None)
        documents: dict[str, Json] = {}
        for at in deployed.keys() - known:
            api_id = at[0]
            if api_id not in documents:
                documents[api_id] = await _read(api_id, deployed[at])
            self._keep(at, documents[api_id])

    def _stored(self, at: Deployment) -> Json | None:
        row = self._db.execute(
            "SELECT document FROM deployment WHERE api_id = ? AND id = ?", at
        ).fetchone()
        if row is None:
            return None
        document: Json = json.loads(row["document"])
        return document

    def _keep(self, at: Deployment, document: Json) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO deployment (api_id, id, document) VALUES (?, ?, ?)",
            (*at, json.dumps(document)),
        )


_LIST = "SELECT api_id, id FROM deployment"


def _compile(api_id: str, document: Json, region: str) -> Snapshot:
    validations = Validations(api_id, document["models"], document["requestvalidators"])
    return Snapshot(
        RouteTable(document["resources"], validations, region),
        CustomisedResponses(document["gatewayresponses"]),
    )


async def _read(api_id: str, region: str) -> Json:
    """An API as it is now, in the wire form of AWS's own answers."""
    document = {part: await _items(api_id, part, region) for part in _PARTS}
    document["gatewayresponses"] = [
        each for each in document["gatewayresponses"] if not each.get("defaultResponse")
    ]
    _complete(api_id, document)
    return document


async def _items(api_id: str, part: str, region: str) -> list[Json]:
    found: list[Json] = []
    path, position = f"/restapis/{quote(api_id)}/{part}", ""
    while True:
        query = f"embed=methods&limit=500{position}"
        answer = await upstream.call("GET", path, service="apigateway", region=region, query=query)
        page = json.loads(answer.body)
        found += page.get("item", [])
        if "position" not in page:
            return found
        position = f"&position={quote(page['position'])}"


def _complete(api_id: str, document: dict[str, list[Json]]) -> None:
    """Add what ministack's CloudFormation drops: request validators, and which one a method has."""
    for validator_id, properties in upstream.stack_resources(f"{_TYPE}RequestValidator", api_id):
        document["requestvalidators"].append(
            {
                "id": validator_id,
                "validateRequestBody": properties.get("ValidateRequestBody", False),
                "validateRequestParameters": properties.get("ValidateRequestParameters", False),
            }
        )
    validators = {
        (properties["ResourceId"], properties["HttpMethod"]): properties.get("RequestValidatorId")
        for _, properties in upstream.stack_resources(f"{_TYPE}Method", api_id)
    }
    for resource in document["resources"]:
        for name, method in (resource.get("resourceMethods") or {}).items():
            if not method.get("requestValidatorId"):
                method["requestValidatorId"] = validators.get((resource["id"], name))

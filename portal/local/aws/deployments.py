"""Stages, and the snapshot of resources that each deployment serves.

ministack keeps no snapshots: there, a method is served as soon as it exists. Here the resources are
read when a deployment is first seen: at once where it was made through the API, and with the first
call to it where CloudFormation made it, which we are not told of. Snapshots live in memory: after a
restart, what was changed since the last deployment is served too.
"""

import json
import time
from dataclasses import dataclass
from urllib.parse import quote

from portal.local.aws import upstream
from portal.local.aws.routes import RouteTable

_FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """A stage as it was `read_at` (monotonic seconds)."""

    api_id: str
    name: str
    region: str
    deployment_id: str
    variables: dict[str, str]
    routes: RouteTable
    read_at: float


class Deployments:
    def __init__(self) -> None:
        self._stages: dict[tuple[str, str], Stage] = {}
        self._tables: dict[tuple[str, str], RouteTable] = {}

    def invalidate(self) -> None:
        """Something may have changed: read stages anew."""
        self._stages.clear()

    async def exists(self, api_id: str, stage: str) -> bool:
        region = upstream.rest_api_region(api_id)
        return region is not None and await _stage_document(api_id, stage, region) is not None

    def fresh(self, api_id: str, name: str) -> Stage | None:
        """The stage, where it was read within the last second."""
        known = self._stages.get((api_id, name))
        if known is not None and time.monotonic() - known.read_at < _FRESH_SECONDS:
            return known
        return None

    async def stage(self, api_id: str, name: str) -> Stage | None:
        """Read a stage of a REST API; None where there is none."""
        now = time.monotonic()
        region = upstream.rest_api_region(api_id)
        document = await _stage_document(api_id, name, region) if region else None
        if region is None or document is None:
            self._stages.pop((api_id, name), None)
            return None
        deployment_id = str(document.get("deploymentId") or "")
        variables = document.get("variables")
        stage = self._stages[api_id, name] = Stage(
            api_id,
            name,
            region,
            deployment_id,
            variables if isinstance(variables, dict) else {},
            await self._table(api_id, deployment_id, region),
            now,
        )
        return stage

    async def snapshot(self, api_id: str) -> None:
        """Read the resources for the deployments of an API that are new; forget those gone."""
        region = upstream.rest_api_region(api_id)
        current: set[str] = set()
        if region is not None:
            path = f"/restapis/{quote(api_id)}/deployments"
            answer = await upstream.call(
                "GET", path, service="apigateway", region=region, query="limit=500"
            )
            current = {item["id"] for item in json.loads(answer.body).get("item", [])}
            for deployment_id in current:
                await self._table(api_id, deployment_id, region)
        for key in [key for key in self._tables if key[0] == api_id and key[1] not in current]:
            del self._tables[key]

    async def _table(self, api_id: str, deployment_id: str, region: str) -> RouteTable:
        table = self._tables.get((api_id, deployment_id))
        if table is None:
            path = f"/restapis/{quote(api_id)}/resources"
            query = "embed=methods&limit=500"
            answer = await upstream.call(
                "GET", path, service="apigateway", region=region, query=query
            )
            table = RouteTable(json.loads(answer.body).get("item", []), region)
            self._tables[api_id, deployment_id] = table
        return table


async def _stage_document(api_id: str, name: str, region: str) -> dict[str, object] | None:
    path = f"/restapis/{quote(api_id)}/stages/{quote(name)}"
    answer = await upstream.call("GET", path, service="apigateway", region=region)
    if answer.status != 200:
        return None
    document: dict[str, object] = json.loads(answer.body)
    return document

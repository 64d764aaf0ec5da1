"""Stages: which deployment each serves, and what acts at once, without a deployment.

The latter are a stage's variables, its method settings and its access log. A stage is read again
after a second, or when something was called that may have changed it.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portal.local.aws import upstream
from portal.local.aws.access_log import AccessLogFormat, access_log_format
from portal.local.aws.snapshots import Snapshot, Snapshots
from portal.local.aws.store import Store
from portal.local.aws.throttle import MethodLimits

_FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """A stage as it was `read_at` (monotonic seconds)."""

    api_id: str
    name: str
    variables: Mapping[str, str]
    limits: MethodLimits
    access_log: AccessLogFormat | None
    snapshot: Snapshot
    read_at: float


class Deployments:
    def __init__(self, store: Store) -> None:
        self._snapshots = Snapshots(store)
        self._stages: dict[tuple[str, str], Stage] = {}

    async def before_change(self) -> None:
        """APIs are about to change: what is deployed by now stays as it is."""
        await self._snapshots.settle()

    def after_change(self) -> None:
        """APIs may have changed: read stages anew."""
        self._stages.clear()

    async def exists(self, api_id: str, stage: str) -> bool:
        region = upstream.rest_api_region(api_id)
        return region is not None and await _document(api_id, stage, region) is not None

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
        document = await _document(api_id, name, region) if region else None
        if region is None or document is None:
            self._stages.pop((api_id, name), None)
            return None
        deployment_id = str(document.get("deploymentId") or "")
        variables = document.get("variables")
        stage = self._stages[api_id, name] = Stage(
            api_id,
            name,
            variables if isinstance(variables, dict) else {},
            MethodLimits(document.get("methodSettings") or {}),
            _access_log(api_id, name, document),
            await self._snapshots.of(api_id, deployment_id, region),
            now,
        )
        return stage


async def _document(api_id: str, name: str, region: str) -> dict[str, Any] | None:
    path = f"/restapis/{quote(api_id)}/stages/{quote(name)}"
    answer = await upstream.call("GET", path, service="apigateway", region=region)
    if answer.status != 200:
        return None
    document: dict[str, Any] = json.loads(answer.body)
    return document


def _access_log(api_id: str, name: str, document: Mapping[str, Any]) -> AccessLogFormat | None:
    """As the stage says, or the stack that made it: ministack's CloudFormation drops that."""
    settings = document.get("accessLogSettings") or {}
    arn, text = settings.get("destinationArn"), settings.get("format")
    if not settings:
        for _, properties in upstream.stack_resources("AWS::ApiGateway::Stage", api_id):
            if properties.get("StageName") == name:
                settings = properties.get("AccessLogSetting") or {}
                arn, text = settings.get("DestinationArn"), settings.get("Format")
    return access_log_format(api_id, name, arn or "", text or "")

"""Who may call: key, enabled, plan on this stage, rate, quota, in this order; then it is counted.

The first three are looked up once and kept as a grant until keys or plans change; the last two are
asked with every call. Nothing here awaits, so no call can come between check and count.
"""

import json
from dataclasses import dataclass

from portal.local.aws.gateway_responses import (
    INVALID_API_KEY,
    QUOTA_EXCEEDED,
    THROTTLED,
    GatewayResponse,
)
from portal.local.aws.meter import Meter
from portal.local.aws.plan_model import Quota, plan_of
from portal.local.aws.store import Store
from portal.local.aws.throttle import Bucket, Limit


@dataclass(frozen=True)
class Grant:
    """What a key value opens on one stage. `overrides` are throttles by "/path/METHOD"."""

    key_id: str
    plan_id: str
    quota: Quota | None
    throttle: Limit | None
    overrides: dict[str, Limit]


class Admission:
    def __init__(self, store: Store, meter: Meter) -> None:
        self._db = store.db
        self._meter = meter
        self._grants: dict[tuple[str, str, str], Grant] = {}
        self._buckets: dict[tuple[str, str, str], Bucket] = {}

    def forget(self) -> None:
        """Keys or plans changed."""
        self._grants.clear()
        self._meter.forget()

    def admit(
        self, key: str | None, api_id: str, stage: str, resource_path: str, method: str
    ) -> Grant | GatewayResponse:
        """Count a call and say by which grant, or say why it is refused."""
        if not key:
            return INVALID_API_KEY
        grant = self._grants.get((key, api_id, stage)) or self._find(key, api_id, stage)
        if grant is None:
            return INVALID_API_KEY
        if not self._within_rate(grant, resource_path, method):
            return THROTTLED
        if not self._meter.take(grant.plan_id, grant.key_id, grant.quota):
            return QUOTA_EXCEEDED
        return grant

    def _find(self, key: str, api_id: str, stage: str) -> Grant | None:
        rows = self._db.execute(
            "SELECT key_id, plan_id, document FROM api_key"
            " JOIN plan_key ON key_id = api_key.id JOIN usage_plan ON plan_id = usage_plan.id"
            " WHERE value = ? AND enabled",
            (key,),
        ).fetchall()
        for row in rows:
            plan = plan_of(json.loads(row["document"]), row["plan_id"])
            if entry := plan.stage(api_id, stage):
                overrides = {"/" + k.strip("/"): limit for k, limit in entry.throttle.items()}
                grant = Grant(row["key_id"], plan.id, plan.quota, plan.throttle, overrides)
                self._grants[key, api_id, stage] = grant
                return grant
        return None

    def _within_rate(self, grant: Grant, resource_path: str, method: str) -> bool:
        name, limit = "", grant.throttle
        if grant.overrides:
            target = f"{resource_path.rstrip('/')}/{method}"
            if target in grant.overrides:
                name, limit = target, grant.overrides[target]
        if limit is None:
            return True
        bucket = self._buckets.get((grant.plan_id, grant.key_id, name))
        if bucket is None:
            bucket = self._buckets[grant.plan_id, grant.key_id, name] = Bucket(limit)
        elif bucket.limit != limit:
            bucket.resize(limit)
        return bucket.take()

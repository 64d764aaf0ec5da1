"""Who may call: key, enabled, plan on this stage, rate, quota, in this order; then it is counted.

The first three are looked up once and kept as a grant until keys or plans change; the others are
asked with every call. Of rates, the key's own comes first, then the method's in the stage's
settings, which all callers share: so a key that calls too fast, or has used all up, takes nothing
from the others. A throttled call counts for no quota. Nothing here awaits: no call can come between
check and count.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

from portal.local.aws.gateway_responses import (
    INVALID_API_KEY,
    QUOTA_EXCEEDED,
    THROTTLED,
    GatewayResponse,
)
from portal.local.aws.meter import Meter
from portal.local.aws.plan_model import Quota, plan_of
from portal.local.aws.store import Store
from portal.local.aws.throttle import Bucket, Limit, method_name


@dataclass(frozen=True)
class Grant:
    """What a key value opens on one stage. `overrides` are throttles by "/path/METHOD"."""

    key_id: str
    plan_id: str
    quota: Quota | None
    throttle: Limit | None
    overrides: dict[str, Limit]


class Verdict(NamedTuple):
    """What became of a call: refused, or admitted and counted. `key_id` says by which key, where it
    has one that works; a refused call may have one, too."""

    refusal: GatewayResponse | None
    key_id: str | None


_NO_KEY = Verdict(INVALID_API_KEY, None)
_OPEN = Verdict(None, None)


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
        self, key: str | None, api_id: str, stage: str, method: str, shared: Limit | None
    ) -> Verdict:
        """Whether a call of a method that needs a key is let in; if so, it is counted.

        `method` is "/path/METHOD", `shared` is what all callers of it have together.
        """
        if not key:
            return _NO_KEY
        grant = self._grants.get((key, api_id, stage)) or self._find(key, api_id, stage)
        if grant is None:
            return _NO_KEY
        if not self._within_rate(grant, method):
            return Verdict(THROTTLED, grant.key_id)
        # Before the limit that all share: whoever has used all up takes nothing from the others.
        if self._meter.is_used_up(grant.plan_id, grant.key_id, grant.quota):
            return Verdict(QUOTA_EXCEEDED, grant.key_id)
        if not self._within_shared(api_id, stage, method, shared):
            return Verdict(THROTTLED, grant.key_id)
        self._meter.take(grant.plan_id, grant.key_id, grant.quota)
        return Verdict(None, grant.key_id)

    def admit_anybody(self, api_id: str, stage: str, method: str, shared: Limit | None) -> Verdict:
        """Whether a call of a method that needs no key is let in."""
        if self._within_shared(api_id, stage, method, shared):
            return _OPEN
        return Verdict(THROTTLED, None)

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
                overrides = {method_name(k): limit for k, limit in entry.throttle.items()}
                grant = Grant(row["key_id"], plan.id, plan.quota, plan.throttle, overrides)
                self._grants[key, api_id, stage] = grant
                return grant
        return None

    def _within_rate(self, grant: Grant, method: str) -> bool:
        """The key's own limit: the one for this method in place of the plan's."""
        if method in grant.overrides:
            return self._take((grant.plan_id, grant.key_id, method), grant.overrides[method])
        return self._take((grant.plan_id, grant.key_id, ""), grant.throttle)

    def _within_shared(self, api_id: str, stage: str, method: str, limit: Limit | None) -> bool:
        return self._take((f"{api_id}:{stage}", "", method), limit)

    def _take(self, name: tuple[str, str, str], limit: Limit | None) -> bool:
        if limit is None:
            return True
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(limit)
        elif bucket.limit != limit:
            bucket.resize(limit)
        return bucket.take()

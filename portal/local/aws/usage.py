"""GetUsage and UpdateUsage: what was used and what remained, one pair a day.

https://docs.aws.amazon.com/apigateway/latest/api/API_GetUsage.html. Days are UTC days; a day
without calls carries the last figure of its period, or the limit where a period begins. Keys are
listed while they are in the plan, and after that where the range knows usage of theirs. A plan
without a quota reports `UNLIMITED` as remaining: what AWS says there is undocumented.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from portal.local.aws.clock import Clock
from portal.local.aws.errors import BadRequest
from portal.local.aws.history import Reading
from portal.local.aws.keys import Keys
from portal.local.aws.meter import Meter
from portal.local.aws.paging import Page, position_after
from portal.local.aws.periods import date_of, day_at, day_of, period_start
from portal.local.aws.plan_model import Quota, number
from portal.local.aws.plan_patch import needed, patch_operations, refuse_patch
from portal.local.aws.plans import Plans
from portal.local.aws.store import Store

Json = dict[str, Any]

MAX_DAYS = 90
UNLIMITED = 2_147_483_647


class Usage:
    def __init__(self, store: Store, clock: Clock, keys: Keys, plans: Plans, meter: Meter) -> None:
        self._db = store.db
        self._clock = clock
        self._keys = keys
        self._plans = plans
        self._meter = meter
        self.lag_seconds = 0

    def read(
        self, plan_id: str, start: str | None, end: str | None, key_id: str | None, page: Page
    ) -> Json:
        """GetUsage, as of `lag_seconds` ago; a key at zero is told exactly."""
        plan = self._plans.get(plan_id)
        first, last = _date_of(start, "startDate"), _date_of(end, "endDate")
        if first > last:
            raise BadRequest("Invalid date range: startDate is after endDate")
        if (last - first).days > MAX_DAYS:
            raise BadRequest(f"Invalid date range: it must not exceed {MAX_DAYS} days")
        key_ids = self._key_ids(plan_id, day_of(first), day_of(last), key_id, page)
        if key_id is not None and not key_ids:
            self._keys.row(key_id)
        shown = key_ids[: page.limit]
        document: Json = {
            "usagePlanId": plan_id,
            "startDate": first.isoformat(),
            "endDate": last.isoformat(),
            "values": {
                it: self._pairs(plan_id, it, plan.quota, day_of(first), day_of(last))
                for it in shown
            },
        }
        if len(key_ids) > page.limit:
            document["position"] = position_after(shown[-1])
        return document

    def update(self, plan_id: str, key_id: str, body: Json) -> Json:
        """UpdateUsage: set what remains in the current period. Answers with today's pair."""
        plan = self._plans.get(plan_id)
        self._plans.attached(plan_id, key_id)
        remaining = None
        for op, path, value in patch_operations(body):
            if op != "replace" or path != "/remaining":
                raise refuse_patch(op, path, ["/remaining"])
            remaining = number(needed(value, path), path)
        if remaining is None or plan.quota is None:
            raise BadRequest(f"Usage Plan {plan_id} has no quota: nothing remains to be set")
        counter = self._meter.set_remaining(plan_id, key_id, plan.quota, remaining)
        today = date_of(counter.day).isoformat()
        used = self._pairs(plan_id, key_id, plan.quota, counter.day, counter.day)[0][0]
        return {
            "usagePlanId": plan_id,
            "startDate": today,
            "endDate": today,
            "values": {key_id: [[used, remaining]]},
        }

    def _key_ids(
        self, plan_id: str, first: int, last: int, key_id: str | None, page: Page
    ) -> list[str]:
        rows = self._db.execute(
            "SELECT key_id FROM plan_key WHERE plan_id = :plan AND key_id > :after"
            " AND (:key IS NULL OR key_id = :key)"
            " UNION SELECT key_id FROM usage_day WHERE plan_id = :plan AND key_id > :after"
            " AND (:key IS NULL OR key_id = :key) AND day BETWEEN :first AND :last AND used > 0"
            " ORDER BY key_id LIMIT :limit",
            {
                "plan": plan_id,
                "after": page.after,
                "key": key_id,
                "first": first,
                "last": last,
                "limit": page.limit + 1,
            },
        )
        return [row["key_id"] for row in rows.fetchall()]

    def _pairs(
        self, plan_id: str, key_id: str, quota: Quota | None, first: int, last: int
    ) -> list[list[int]]:
        begin = period_start(quota.period, first) if quota else first
        rows = self._db.execute(
            "SELECT day, used, remaining FROM usage_day"
            " WHERE plan_id = ? AND key_id = ? AND day BETWEEN ? AND ?",
            (plan_id, key_id, begin, last),
        ).fetchall()
        known = {row["day"]: Reading(row["used"], row["remaining"]) for row in rows}
        readings = self._delayed(plan_id, key_id, quota, known) if self.lag_seconds else known
        pairs = []
        carried: int | None = None
        for day in range(begin, last + 1):
            if quota and day == period_start(quota.period, day):
                carried = quota.limit
            reading = readings.get(day)
            if reading and reading.remaining is not None:
                carried = reading.remaining
            if day >= first:
                remaining = UNLIMITED if carried is None else carried
                pairs.append([reading.used if reading else 0, remaining])
        return pairs

    def _delayed(
        self, plan_id: str, key_id: str, quota: Quota | None, known: Mapping[int, Reading]
    ) -> dict[int, Reading]:
        now = self._clock.time()
        moment = now - self.lag_seconds
        exact_from: float = float("inf")
        if quota and self._meter.counter(plan_id, key_id, quota).remaining == 0:
            exact_from = period_start(quota.period, day_at(now))
        readings = {}
        for day, current in known.items():
            seen: Reading | None = current
            if day < exact_from:
                seen = self._meter.history.as_of((plan_id, key_id, day), moment, current)
            if seen is not None:
                readings[day] = seen
        return readings


def _date_of(text: str | None, name: str) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        raise BadRequest(f"Invalid {name}: a date YYYY-MM-DD is expected") from None

"""Usage plans and the keys in them, as the control plane does it.

An API stage must exist when a plan is given it, and only then: after a crash of the local AWS the
stack comes back under its pinned id, and plans go on pointing at it.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from portal.local.aws.errors import BadRequest, Conflict, LimitExceeded, NotFound
from portal.local.aws.keys import Keys, new_id
from portal.local.aws.meter import Meter
from portal.local.aws.paging import Page, page_of
from portal.local.aws.plan_model import ApiStage, UsagePlan, plan_of, wire_plan
from portal.local.aws.plan_patch import patch_operations, patch_plan
from portal.local.aws.store import Store

Json = dict[str, Any]
StageExists = Callable[[str, str], Awaitable[bool]]

_PLANS_PER_KEY = 10


class Plans:
    def __init__(self, store: Store, keys: Keys, meter: Meter, stage_exists: StageExists) -> None:
        self._store = store
        self._keys = keys
        self._meter = meter
        self._stage_exists = stage_exists

    def get(self, plan_id: str) -> UsagePlan:
        row = self._store.db.execute(
            "SELECT document FROM usage_plan WHERE id = ?", (plan_id,)
        ).fetchone()
        if row is None:
            raise NotFound("Invalid Usage Plan identifier specified")
        return plan_of(json.loads(row["document"]), plan_id)

    def describe(self, plan_id: str) -> Json:
        return wire_plan(self.get(plan_id))

    async def create(self, body: Json) -> Json:
        plan = plan_of({**body, "productCode": None}, new_id(6))
        await self._check_stages(plan.stages)
        document = wire_plan(plan)
        with self._store.transaction() as db:
            db.execute("INSERT INTO usage_plan VALUES (?, ?)", (plan.id, json.dumps(document)))
        return document

    def find(self, page: Page, *, key_id: str | None) -> Json:
        """Plans in the order of their ids; those of one key where `key_id` says so."""
        rows = self._store.db.execute(
            "SELECT document FROM usage_plan WHERE id > ? AND (? IS NULL OR id IN"
            " (SELECT plan_id FROM plan_key WHERE key_id = ?)) ORDER BY id LIMIT ?",
            (page.after, key_id, key_id, page.limit + 1),
        ).fetchall()
        return page_of(page, [json.loads(row["document"]) for row in rows])

    async def patch(self, plan_id: str, body: Json) -> Json:
        operations = patch_operations(body)
        before = self.get(plan_id)
        known = {stage.label for stage in before.stages}
        wanted = patch_plan(before, operations).stages
        await self._check_stages([stage for stage in wanted if stage.label not in known])
        before = self.get(plan_id)
        plan = patch_plan(before, operations)
        self._check_keys_of(plan)
        with self._store.transaction():
            self._save(plan)
            if plan.quota != before.quota:
                self._meter.forget()
                self._meter.requota(plan_id, before.quota, plan.quota)
        return wire_plan(plan)

    def delete(self, plan_id: str) -> None:
        plan = self.get(plan_id)
        if plan.stages:
            labels = ", ".join(stage.label for stage in plan.stages)
            raise BadRequest(
                f"Cannot delete Usage Plan {plan_id}: remove its API stages first ({labels})"
            )
        with self._store.transaction() as db:
            db.execute("DELETE FROM usage_plan WHERE id = ?", (plan_id,))

    def attach(self, plan_id: str, body: Json) -> Json:
        """CreateUsagePlanKey. Raises Conflict where the key would have two plans on one stage."""
        plan = self.get(plan_id)
        if body.get("keyType") != "API_KEY":
            raise BadRequest("Invalid keyType: only API_KEY is supported")
        key = self._keys.row(body.get("keyId"))
        key_id: str = key["id"]
        others = self._plans_of(key_id)
        if any(other.id == plan_id for other in others):
            raise Conflict(f"Usage Plan {plan_id} already has API Key {key_id}")
        if len(others) >= _PLANS_PER_KEY:
            raise LimitExceeded(f"API Key {key_id} is in {_PLANS_PER_KEY} usage plans already")
        _refuse_overlap(key_id, plan, others)
        with self._store.transaction() as db:
            db.execute("INSERT INTO plan_key VALUES (?, ?)", (plan_id, key_id))
            self._meter.forget()
            self._meter.attach(plan_id, key_id, plan.quota)
        return _wire_plan_key(key_id, key["name"])

    def attached(self, plan_id: str, key_id: str) -> Json:
        self.get(plan_id)
        row = self._store.db.execute(
            "SELECT id, name FROM api_key JOIN plan_key ON key_id = id"
            " WHERE plan_id = ? AND key_id = ?",
            (plan_id, key_id),
        ).fetchone()
        if row is None:
            raise NotFound("Invalid Usage Plan Key identifier specified")
        return _wire_plan_key(row["id"], row["name"])

    def find_attached(self, plan_id: str, page: Page, *, name: str) -> Json:
        self.get(plan_id)
        rows = self._store.db.execute(
            "SELECT id, name FROM api_key JOIN plan_key ON key_id = id WHERE plan_id = ?"
            " AND id > ? AND substr(name, 1, length(?)) = ? ORDER BY id LIMIT ?",
            (plan_id, page.after, name, name, page.limit + 1),
        ).fetchall()
        return page_of(page, [_wire_plan_key(row["id"], row["name"]) for row in rows])

    def detach(self, plan_id: str, key_id: str) -> None:
        self.attached(plan_id, key_id)
        with self._store.transaction() as db:
            db.execute("DELETE FROM plan_key WHERE plan_id = ? AND key_id = ?", (plan_id, key_id))

    def _plans_of(self, key_id: str) -> list[UsagePlan]:
        rows = self._store.db.execute("SELECT plan_id FROM plan_key WHERE key_id = ?", (key_id,))
        return [self.get(row["plan_id"]) for row in rows.fetchall()]

    async def _check_stages(self, stages: Iterable[ApiStage]) -> None:
        for stage in stages:
            if not await self._stage_exists(stage.api_id, stage.stage):
                raise NotFound(f"API Stage not found: {stage.label}")

    def _check_keys_of(self, plan: UsagePlan) -> None:
        """Keys of a plan that gets a stage must not have that stage by another plan."""
        rows = self._store.db.execute(
            "SELECT DISTINCT mine.key_id FROM plan_key mine JOIN plan_key other"
            " ON other.key_id = mine.key_id AND other.plan_id <> mine.plan_id"
            " WHERE mine.plan_id = ?",
            (plan.id,),
        ).fetchall()
        for (key_id,) in rows:
            others = [other for other in self._plans_of(key_id) if other.id != plan.id]
            _refuse_overlap(key_id, plan, others)

    def retag(self, plan_id: str, tags: dict[str, str]) -> None:
        """Replace a plan's tags."""
        with self._store.transaction():
            self._save(replace(self.get(plan_id), tags=tags))

    def _save(self, plan: UsagePlan) -> None:
        self._store.db.execute(
            "UPDATE usage_plan SET document = ? WHERE id = ?",
            (json.dumps(wire_plan(plan)), plan.id),
        )


def _refuse_overlap(key_id: str, plan: UsagePlan, others: list[UsagePlan]) -> None:
    for other in others:
        for stage in plan.stages:
            if other.stage(stage.api_id, stage.stage):
                raise Conflict(
                    f"API Key {key_id} cannot be in Usage Plans {plan.id} and {other.id}:"
                    f" both cover API stage {stage.label}"
                )


def _wire_plan_key(key_id: str, name: str) -> Json:
    return {"id": key_id, "type": "API_KEY", "name": name}

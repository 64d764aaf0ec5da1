"""Watches every transaction of a test: in which order it locks rows, and that it asks no network.

Two transactions that lock the same rows in another order wait for each other sooner or later. So
the order is looked at wherever it can be seen, which is PostgreSQL: SQLite locks no rows.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import stripe
from django.apps import apps
from django.db import connection

from tenants.models import Tenant

TENANT, COUNTER = "tenants_tenant", "billing_invoicecounter"
# What may be locked before the tenant: who holds the tenant asks for none of it, or for its key.
BEFORE_TENANT = {
    "billing_order", "billing_plan", "billing_balancetransaction", "billing_exchangerate",
}  # fmt: skip
# What nobody may begin to wait for who holds the counter, for which all who issue wait.
BEFORE_COUNTER = {TENANT, "billing_order", "billing_subscription", "billing_customer"}

_LOCKS = re.compile(r" FOR (?:NO KEY )?UPDATE(?: OF (?P<of>[^;]*?))?(?: SKIP LOCKED)?$")
_TABLES = re.compile(r'(?:FROM|JOIN) "(\w+)"')
_WRITES = re.compile(r'(?P<how>UPDATE|INSERT INTO) "(?P<table>\w+)"')


class Watch:
    """What the transaction under way has locked, by table, in order."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.wrong: list[str] = []
        self.of_tenants = {
            model._meta.db_table
            for model in apps.get_models()
            if any(field.related_model is Tenant for field in model._meta.concrete_fields)
        }

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if connection.in_atomic_block and not _is_testcase():
            self._look(sql)
        return execute(sql, *rest)

    def _look(self, sql: str) -> None:
        write = _WRITES.match(sql)
        if write and write["how"] == "INSERT INTO":
            self._insert(write["table"])
        elif write:
            self._lock(write["table"])
        elif lock := _LOCKS.search(sql):
            tables = re.findall(r'"(\w+)"', lock["of"]) if lock["of"] else _TABLES.findall(sql)
            for table in tables:
                self._lock(table, waits=not sql.endswith("SKIP LOCKED"))

    def _lock(self, table: str, *, waits: bool = True) -> None:
        if table in self.held or not (table == TENANT or table.startswith("billing_")):
            return
        if waits and table == TENANT and self._early():
            self.wrong.append(f"{self._early()} before the tenant")
        if table in BEFORE_COUNTER and COUNTER in self.held:
            self.wrong.append(f"{table} after the counter")
        self.held.append(table)

    def _insert(self, table: str) -> None:
        """Its tenant is locked, lightly, when a row is inserted: what is new nobody waits for."""
        if table == TENANT:
            self.held.append(TENANT)
        elif table in self.of_tenants and TENANT not in self.held and self._early():
            self.wrong.append(f"{self._early()} before the tenant of a {table}")

    def _early(self) -> set[str]:
        return {*self.held} - BEFORE_TENANT


def _is_testcase() -> bool:
    """Say whether the test itself is one transaction, which is undone."""
    return any(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


@contextmanager
def transactions_watched() -> Iterator[None]:
    """Fail where a transaction locks in a wrong order, or asks Stripe."""
    watch, begin = Watch(), connection.set_autocommit
    ask = stripe.RequestsClient.request_with_retries

    def beginning(*args: Any, **options: Any) -> None:
        watch.held.clear()
        begin(*args, **options)

    def asking(client: Any, method: str, url: str, *rest: Any, **more: Any) -> Any:
        if connection.in_atomic_block and not _is_testcase():
            watch.wrong.append(f"{method} {url} in a transaction")
        return ask(client, method, url, *rest, **more)

    sees_locks = connection.features.has_select_for_update
    watching = connection.execute_wrapper(watch) if sees_locks else nullcontext()
    with pytest.MonkeyPatch.context() as patch, watching:
        patch.setattr(connection, "set_autocommit", beginning)
        patch.setattr(stripe.RequestsClient, "request_with_retries", asking)
        yield
    assert not watch.wrong, watch.wrong

"""Grants as a ledger: what is used of each, and what is left."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tenants import selectors, services
from tenants.grants import used_of_each
from tenants.models import Lease, QuotaGrant, Tenant
from tenants.selectors import GrantState
from tenants.services import closing
from tests.tenants.grants.conftest import MIDNIGHT, NOVEMBER, Grant, told, use

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.mark.parametrize(
    ("plan", "grants", "used", "expected"),
    [
        (100, [50, 30], 0, [0, 0]),
        (100, [50, 30], 100, [0, 0]),  # the plan's own count as used first
        (100, [50, 30], 101, [1, 0]),
        (100, [50, 30], 150, [50, 0]),
        (100, [50, 30], 151, [50, 1]),
        (100, [50, 30], 180, [50, 30]),
        (100, [50, 30], 185, [50, 30]),  # what the gateway let past is nobody's
        (0, [7], 3, [3]),
        (100, [], 300, []),
    ],
)
def test_what_is_used_of_each(plan: int, grants: list[int], used: int, expected: list[int]) -> None:
    assert used_of_each(plan=plan, grants=grants, used=used) == expected


@given(
    plan=st.integers(0, 500),
    grants=st.lists(st.integers(1, 200), max_size=6),
    used=st.integers(0, 2000),
)
def test_what_is_used_adds_up(plan: int, grants: list[int], used: int) -> None:
    shares = used_of_each(plan=plan, grants=grants, used=used)
    assert sum(shares) == min(max(used - plan, 0), sum(grants))
    assert all(0 <= share <= requests for share, requests in zip(shares, grants, strict=True))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
def test_a_tenant_is_locked_without_its_plan(tenant: Tenant, grant: Grant) -> None:
    """All tenants share it, and who changes it locks it before them."""
    with CaptureQueriesContext(connection) as queries:
        grant(7, "a")
        services.quota_cap_set(tenant=tenant, requests=5, now=NOVEMBER)
        closing.periods_close(now=MIDNIGHT)
    locks = [each["sql"] for each in queries if "FOR UPDATE" in each["sql"]]
    joined = [sql for sql in locks if "JOIN" in sql]
    assert len(joined) == 3
    assert all(sql.endswith('FOR UPDATE OF "tenants_tenant"') for sql in joined)


class TestLeft:
    def test_the_oldest_is_used_first(self, tenant: Tenant, lease: Lease, grant: Grant) -> None:
        grant(50, "a")
        grant(30, "b", at=NOVEMBER + timedelta(hours=1))
        QuotaGrant.objects.update(applied_at=NOVEMBER)
        use(lease, 120)
        assert told(tenant, NOVEMBER) == [
            ("a", 20, 30, GrantState.LEFT),
            ("b", 0, 30, GrantState.LEFT),
        ]
        use(lease, 160)
        assert told(tenant, NOVEMBER) == [
            ("a", 50, 0, GrantState.USED),
            ("b", 10, 20, GrantState.LEFT),
        ]

    def test_what_the_keys_do_not_have_yet_says_so(self, tenant: Tenant, grant: Grant) -> None:
        grant(50, "a")
        assert told(tenant, NOVEMBER) == [("a", 0, 50, GrantState.APPLYING)]
        (row,) = selectors.grant_rows(tenant=tenant, now=NOVEMBER)
        assert (row.expires_at, row.period_end) == (MIDNIGHT, date(2026, 11, 30))

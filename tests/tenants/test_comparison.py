"""Which days a range of days is compared with."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tenants.models import ApiKey, QuotaPeriod
from tenants.selectors.comparison import days_before, usage_before
from tests.cast import assemble, usage_plan_free

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "kind", "before"),
    [
        ("2026-11-01", "2026-11-15", QuotaPeriod.MONTH, "2026-10-01 2026-10-15"),
        ("2026-11-01", "2026-11-30", QuotaPeriod.MONTH, "2026-10-01 2026-10-30"),
        ("2026-03-01", "2026-03-31", QuotaPeriod.MONTH, "2026-02-01 2026-02-28"),
        ("2026-01-01", "2026-11-15", QuotaPeriod.MONTH, "2025-02-16 2025-12-31"),
        ("2026-11-09", "2026-11-15", QuotaPeriod.MONTH, "2026-11-02 2026-11-08"),
        ("2026-11-15", "2026-11-17", QuotaPeriod.WEEK, "2026-11-08 2026-11-10"),
        ("2026-11-16", "2026-11-16", QuotaPeriod.DAY, "2026-11-15 2026-11-15"),
    ],
)
def test_a_range_is_compared_with(start: str, end: str, kind: str, before: str) -> None:
    days = days_before(start=date.fromisoformat(start), end=date.fromisoformat(end), kind=kind)
    assert " ".join(day.isoformat() for day in days) == before


@pytest.mark.django_db
def test_who_was_not_there_before_has_nothing_to_compare_with() -> None:
    since = datetime(2026, 11, 3, 9, tzinfo=UTC)
    tenant = assemble(usage_plan=usage_plan_free(now=since), now=since).alice_corp
    key = ApiKey.objects.get(tenant=tenant)
    key.created_at += timedelta(days=1)
    end = date(2026, 11, 15)
    for first, api_key, is_told in ((9, None, False), (10, None, True), (10, key, True)):
        start = date(2026, 11, first)
        before = usage_before(tenant=tenant, start=start, end=end, api_key=api_key)
        assert (before is not None) == is_told
    assert before is not None
    assert (before.start, len(before.rows)) == (date(2026, 11, 4), 6)
    assert usage_before(tenant=tenant, start=date(2026, 11, 1), end=end, api_key=None) is None

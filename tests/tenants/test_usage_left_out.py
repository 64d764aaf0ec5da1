"""Keys that GetUsage leaves out: AWS does not say whether it lists those without any use."""

from datetime import UTC, datetime, timedelta

import pytest

from tenants import gateway
from tenants.models import ApiKeyVersion, KeySlot, Lease, Meter, UsageDay
from tenants.services.quota import entitlement_ensure
from tenants.services.usage import usage_sync
from tests.cast import Cast

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(days=6)


@pytest.mark.django_db
def test_one_was_not_used_on_the_days_that_were_asked_for(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = cast.alice_corp
    mirror = tenant.usage_plan.mirrors.get(slot=KeySlot.PRIMARY)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    lease = Lease.objects.create(
        entitlement=entitlement_ensure(tenant=tenant, now=NOW), version=version,
        gateway_plan=mirror, limit_requests=100, written_remaining=100, opened_at=BEFORE,
        seen_used=7, seen_remaining=93, seen_at=BEFORE, seen_since=BEFORE,
    )  # fmt: skip

    def used_on(at: datetime, used: int) -> None:
        UsageDay.objects.create(
            tenant=tenant, version=version, gateway_plan=mirror, meter=Meter.REQUESTS,
            day=at.date(), used=used, remaining=93, read_at=at,
        )  # fmt: skip

    used_on(BEFORE, 7)
    monkeypatch.setattr(gateway, "usage_read", lambda **_: iter(()))
    usage_sync(mirror=mirror, now=NOW)
    lease.refresh_from_db()
    assert (lease.seen_used, lease.seen_at, lease.seen_since) == (7, NOW, BEFORE)
    used_on(NOW - timedelta(days=1), 2)  # what it has told it does not take back
    usage_sync(mirror=mirror, now=NOW + timedelta(hours=1))
    lease.refresh_from_db()
    assert lease.seen_at == NOW

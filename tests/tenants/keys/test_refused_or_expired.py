"""Keys that the gateway refuses are tried again; keys that expire end by themselves."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tenants import gateway, services
from tenants.errors import NotInThisState, Refused
from tenants.models import ApiKey, AuditEntry, KeySlot, Tenant, VersionStatus
from tests.conftest import Call
from tests.tenants.gateway_keys import only_version, value_of
from tests.tenants.keys.conftest import refuse, rotate, run, standing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]


class TestExpiry:
    def test_the_key_ends_by_itself(self, tenant: Tenant, call: Call) -> None:
        run(tenant)
        version = only_version(tenant)
        key, value = version.api_key, value_of(version)
        rotate(key)
        now = timezone.now()
        with pytest.raises(Refused, match="expired already"):
            expire(key, now)
        expire(key, now + timedelta(hours=2))
        run(tenant)
        assert tenant.reconcile_at == now + timedelta(hours=2)
        assert call(value).status_code == 200
        for _ in range(2):
            run(tenant, now + timedelta(hours=3))
        assert call(value).status_code == 403
        key.refresh_from_db()
        assert key.revoked_at == now + timedelta(hours=3)
        assert set(standing(key)) == {VersionStatus.REVOKED}
        assert AuditEntry.objects.get(action="api_key.expired").actor is None
        with pytest.raises(NotInThisState):
            expire(key, None)

    def test_put_off_in_time_it_works_on(self, tenant: Tenant, call: Call) -> None:
        now = timezone.now()
        version = services.api_key_create(
            tenant=tenant, name="short", expires_at=now + timedelta(hours=1), actor=None, now=now
        )
        run(tenant)
        expire(version.api_key, None)
        run(tenant, now + timedelta(hours=2))
        assert call(value_of(version)).status_code == 200


def expire(key: ApiKey, at: datetime | None) -> None:
    services.api_key_update(
        api_key=key, name=key.name, expires_at=at, actor=None, now=timezone.now()
    )


def test_a_refused_key_is_tried_again_beside_the_primary(
    tenant: Tenant, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = only_version(tenant)
    with monkeypatch.context() as patch:
        patch.setattr(gateway, "api_key_create", refuse)
        run(tenant)
    first.refresh_from_db()
    assert (first.status, first.slot) == (VersionStatus.FAILED, KeySlot.PRIMARY)
    assert "too many keys" in first.error
    second = services.api_key_create(tenant=tenant, name="b", actor=None, now=timezone.now())
    for _ in range(2):
        services.api_key_retry(api_key=first.api_key, actor=None, now=timezone.now())
    run(tenant)
    assert AuditEntry.objects.filter(action="api_key.retried").count() == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert {first.slot, second.slot} == {KeySlot.PRIMARY, KeySlot.SECONDARY}
    assert call(value_of(first)).status_code == 200


def test_a_revocation_wins_over_a_refusal(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    key = only_version(tenant).api_key

    def refuse_late(**_: object) -> str:
        services.api_key_revoke(api_key=key, actor=None, now=timezone.now())
        return refuse()

    monkeypatch.setattr(gateway, "api_key_create", refuse_late)
    run(tenant)
    assert standing(key) == [VersionStatus.REVOKED]

"""The edge table says what the functions should know, whatever was lost on the way there."""

import json
from typing import Any

import pytest
from django.utils import timezone

from conversions import backend, services
from conversions.models import EdgeItem, Preset
from tenants.models import ApiKeyVersion, Tenant, VersionStatus
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)


def there(key: str) -> dict[str, Any] | None:
    """Read an item as a function does."""
    table = backend.outputs()["EdgeTable"]
    answer = backend.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": key}})
    item: dict[str, Any] | None = answer.get("Item")
    return item


def sweep() -> int:
    return services.edge_sweep(now=timezone.now())


@pytest.fixture
def version(tenant: Tenant) -> ApiKeyVersion:
    """Alice's key, as if the gateway had it."""
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    version.gateway_id, version.status = f"gw-{version.uuid}", VersionStatus.ACTIVE
    version.save()
    return version


def test_a_new_tenants_presets_come_with_its_first_key(
    stack: str, cast: Cast, version: ApiKeyVersion
) -> None:
    EdgeItem.objects.all().delete()
    services.key_publish(version=version, now=timezone.now())
    assert set(EdgeItem.objects.values_list("key", flat=True)) == {
        f"key#{version.gateway_id}",
        f"tenant#{cast.alice_corp.uuid}",
    }


def test_the_sweep_finds_what_news_missed_and_then_rests(
    tenant: Tenant, version: ApiKeyVersion
) -> None:
    key = f"key#{version.gateway_id}"
    assert sweep() > 0
    assert (there(key) or {})["tenant_name"] == {"S": "Alice Corp"}
    assert sweep() == 0
    Tenant.objects.filter(pk=tenant.pk).update(name="Alice & Sons")
    assert sweep() == 1
    assert (there(key) or {})["tenant_name"] == {"S": "Alice & Sons"}
    ApiKeyVersion.objects.filter(pk=version.pk).update(status=VersionStatus.REVOKED)
    assert sweep() == 1
    assert there(key) is None
    assert sweep() == 0


def test_a_changed_preset_reaches_every_tenant_as_its_next_version(
    tenant: Tenant, cast: Cast
) -> None:
    sweep()
    preset = Preset.objects.get(code="web")
    preset.width = 1000
    services.preset_save(preset=preset, now=timezone.now())
    assert sweep() == 2
    for each in (cast.alice_corp, cast.charlie_corp):
        presets = json.loads((there(f"tenant#{each.uuid}") or {})["presets"]["S"])
        assert {"web": 2, "thumb": 1}.items() <= {p["code"]: p["version"] for p in presets}.items()


def test_a_sweep_writes_no_more_than_its_share(tenant: Tenant, cast: Cast) -> None:
    EdgeItem.objects.all().delete()
    assert [services.edge_sweep(now=timezone.now(), limit=1) for _ in range(3)] == [1, 1, 0]


def test_a_late_write_does_not_replace_a_newer_one(stack: str) -> None:
    for revision, name in ((2, "new"), (1, "old")):
        backend.edge_put(key="key#late", body={"key_name": name}, revision=revision)
    assert (there("key#late") or {})["key_name"] == {"S": "new"}


def test_verifying_finds_what_the_table_lost_or_is_ahead_in_and_removes_nothing(
    tenant: Tenant,
) -> None:
    sweep()
    services.edge_verify()
    assert services.edge_verify() == 0

    mine, other = EdgeItem.objects.order_by("id")[:2]
    backend.edge_delete(key=mine.key)
    backend.edge_put(key=other.key, body={"presets": []}, revision=other.revision + 10)
    backend.edge_put(key="key#of-another-database", body={"plan": "free"}, revision=1)
    assert services.edge_verify() == 2
    assert sweep() == 2
    assert services.edge_verify() == 0
    assert there("key#of-another-database") is not None
    for item in (mine, other):
        assert '"code": "thumb"' in (there(item.key) or {})["presets"]["S"]

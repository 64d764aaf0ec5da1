"""Keys as whoever calls with them knows them: their values, and how far they get."""

from django.conf import settings
from django.utils import timezone

from tenants import key_values, services
from tenants.models import ApiKeyVersion, GatewayPlan, Tenant
from tenants.services import usage
from tests.conftest import Call


def sync() -> None:
    """Ask the gateway what was used."""
    for mirror in GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan"):
        usage.usage_sync(mirror=mirror, now=timezone.now())


def only_version(tenant: Tenant) -> ApiKeyVersion:
    return ApiKeyVersion.objects.get(api_key__tenant=tenant)


def value_of(version: ApiKeyVersion) -> str:
    """Return the value again, as its owner has kept it."""
    ApiKeyVersion.objects.filter(pk=version.pk).update(revealed_at=None)
    value = services.api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None
    return value


def value_of_any(version: ApiKeyVersion) -> str:
    """Return the value of a version in any state, as whoever has kept it would know it."""
    return key_values.derive(version.uuid, secret=settings.API_KEY_SECRET)


def passes(call: Call, value: str, *, at_most: int) -> int:
    """Call until refused; return how many calls passed."""
    for count in range(at_most):
        response = call(value)
        if response.status_code == 429:
            assert response.json() == {"message": "Limit Exceeded"}
            return count
        assert response.status_code == 200, response.text
    return at_most

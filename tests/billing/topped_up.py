"""A tenant whose packs are bought by themselves, what it uses, and what its card was charged."""

from datetime import UTC, datetime

from billing import services
from billing.models import AutoTopUp, Customer
from tenants.models import ApiKeyVersion, Meter, Tenant, UsageDay
from tests.billing.conftest import SignUpCall, stripe_client
from tests.billing.saved_cards import save

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


def turn_on(
    tenant: Tenant, *, pack: str = "extra-100", percent: int = 20, most: int = 3,
    now: datetime = NOW,
) -> AutoTopUp:  # fmt: skip
    return services.auto_top_up_set(
        tenant=tenant, pack_code=pack, percent=percent, most_per_period=most, actor=None, now=now
    )


def use(tenant: Tenant, requests: int, now: datetime = NOW) -> None:
    """Have the gateway tell that so many were used in all on a day."""
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    mirror = tenant.usage_plan.mirrors.get(slot="primary")
    UsageDay.objects.update_or_create(
        version=version, gateway_plan=mirror, meter=Meter.REQUESTS, day=now.date(),
        defaults={"tenant": tenant, "used": requests, "read_at": now},
    )  # fmt: skip


def charges(tenant: Tenant) -> list[tuple[int, bool]]:
    """Return what was charged to the tenant's card, and whether it went back, oldest first."""
    customer = Customer.objects.get(tenant=tenant)
    found = stripe_client().v1.charges.list({"customer": customer.stripe_id, "limit": 100})
    return [(each.amount, each.refunded) for each in found if each.status == "succeeded"][::-1]


def topping_up(sign_up: SignUpCall) -> Tenant:
    """Sign up for the free plan, of 100 a month, with a card and top-ups of 100 below 20 %."""
    tenant = sign_up("free", now=NOW).tenant
    save(tenant)
    turn_on(tenant)
    return tenant

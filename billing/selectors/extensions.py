"""The packs that a tenant can buy."""

from datetime import datetime

from django.db.models import QuerySet

from billing.models import ExtensionPack, PackPrice, Subscription, SubscriptionState, Unused
from billing.money import display
from billing.selectors.customers import currency_of
from billing.tax_tables import taxation_today
from billing.tax_words import with_tax
from billing.usage_prices import priced
from tenants.models import Meter, Tenant


def takes_packs(*, tenant: Tenant) -> bool:
    """Say whether a tenant's plan can be extended: its quota ends, and requests have no price.

    Where they have one, those of a pack would be paid for twice.
    """
    if tenant.usage_plan.is_unlimited:
        return False
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    held = active.select_related("plan", "price").first()
    return held is None or Meter.REQUESTS not in priced(held.plan, held.price)


def pack_prices(*, tenant: Tenant) -> QuerySet[PackPrice]:
    """Return the packs on sale, priced in the tenant's currency, the smallest first.

    None on a plan that takes none.
    """
    if not takes_packs(tenant=tenant):
        return PackPrice.objects.none()
    prices = PackPrice.objects.filter(
        currency=currency_of(tenant=tenant), pack__in=ExtensionPack.objects.filter(is_active=True)
    )
    return prices.select_related("pack").order_by("pack__requests")


def packs(*, tenant: Tenant, now: datetime) -> list[dict[str, object]]:
    """Return the same for a page, and what they are with tax."""
    taxation = taxation_today(tenant=tenant, now=now)
    return [
        {
            "code": price.pack.code,
            "name": price.pack.name,
            "requests": price.pack.requests,
            "rolls_over": price.pack.unused == Unused.ROLL_OVER,
            "price_display": display(price.amount, price.currency),
            "with_tax": with_tax(net=price.amount, currency=price.currency, taxation=taxation),
        }
        for price in pack_prices(tenant=tenant)
    ]

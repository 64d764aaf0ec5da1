"""How a tenant is charged: its currency, its saved cards."""

from django.db.models import QuerySet

from billing.models import Currency, Customer, SavedCard
from tenants.models import Tenant


def currency_of(*, tenant: Tenant) -> str:
    """Return the currency that a tenant is charged in."""
    customer = Customer.objects.filter(tenant=tenant).first()
    return customer.currency if customer else Currency.USD


def cards(*, tenant: Tenant) -> QuerySet[SavedCard]:
    """Return a tenant's saved cards, the newest first."""
    saved = SavedCard.objects.filter(customer__tenant=tenant, removed_at=None)
    return saved.select_related("customer")

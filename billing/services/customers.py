"""Tenants as Stripe's customers: made once, and told whenever an owner, or the name, is another.

What a customer is made with is in its row first: a repeat with anything else would be refused by
Stripe for a day. Network, so no transactions.
"""

import structlog
from django.db.models import F, OuterRef, Subquery

from billing import payments
from billing.models import Customer
from tenants.models import Member, Role, Tenant

log = structlog.get_logger(__name__)

_owners = Member.objects.filter(role=Role.OWNER, user__is_active=True).order_by("created_at", "id")


def customer_id(*, tenant: Tenant, currency: str) -> str:
    """Return Stripe's customer of the tenant, created where there is none yet. Raise
    PaymentError.
    """
    customer, _is_new = Customer.objects.get_or_create(
        tenant=tenant, defaults={"currency": currency}
    )
    if not customer.stripe_id:
        if not customer.name:
            owner = _owners.filter(tenant=tenant).select_related("user").first()
            customer.name, customer.email = tenant.name, owner.user.email if owner else ""
            customer.save(update_fields=["name", "email"])
        customer.stripe_id = payments.customer_create(
            tenant_uuid=str(tenant.uuid), name=customer.name, email=customer.email
        )
        customer.save(update_fields=["stripe_id"])
    return customer.stripe_id


def customers_follow() -> int:
    """Tell Stripe the names and owners' addresses that are not what it was told; return how many.

    Safe to run twice, late and at once. One customer's failure stops no other's.
    """
    told = 0
    for customer, email in _changed():
        try:
            _tell(customer, name=customer.tenant.name, email=email)
            told += 1
        except payments.PaymentError as error:
            log.warning("customer.not_told", customer=customer.pk, error=str(error))
        except Exception:
            log.exception("customer.not_told", customer=customer.pk)
    return told


def _changed() -> list[tuple[Customer, str]]:
    """Return the customers of whom Stripe knows another name or address, with the address."""
    owner = _owners.filter(tenant=OuterRef("tenant")).values("user__email")[:1]
    known = Customer.objects.exclude(stripe_id="").filter(tenant__leaving_parts=None)
    owned = known.annotate(owner_email=Subquery(owner)).exclude(owner_email=None)
    changed = owned.exclude(name=F("tenant__name"), email=F("owner_email"))
    in_order = changed.select_related("tenant").order_by("pk")
    return [(customer, customer.owner_email) for customer in in_order]


def _tell(customer: Customer, *, name: str, email: str) -> None:
    """Tell Stripe, and note it. Until then, and where two do this at once, nobody knows what Stripe
    has: the row says so, and the next run tells it again.
    """
    mine = Customer.objects.filter(pk=customer.pk)
    mine.update(email="")
    payments.customer_update(customer_id=customer.stripe_id, name=name, email=email)
    if not mine.filter(email="").update(name=name, email=email):
        mine.update(email="")

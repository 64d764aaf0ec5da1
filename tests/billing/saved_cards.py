"""A tenant with a saved card, without a page to type it into.

Stripe's Checkout is not for programs to fill in. What it leaves behind can be had by its API as
well, with the test cards that have a name (https://docs.stripe.com/testing): so a test that begins
here runs against Stripe's test mode too, where it is marked `stripe`.
"""

from datetime import UTC, datetime

from billing.models import SavedCard
from billing.payments.cards import card_of
from billing.services.cards import card_keep
from billing.services.customers import customer_id
from tenants.models import Tenant
from tests.billing.conftest import SignUpCall, stripe_client

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def save(tenant: Tenant, card: str = "pm_card_visa", *, now: datetime = NOW) -> SavedCard:
    """Attach a test card to the tenant's customer at Stripe, and keep it as the one charged."""
    customer = customer_id(tenant=tenant, currency="USD")
    method = stripe_client().v1.payment_methods.attach(card, {"customer": customer})
    kept = card_of(method)
    assert kept is not None
    card_keep(tenant=tenant, card=kept, now=now)
    return SavedCard.objects.get(stripe_id=method.id)


def carded(sign_up: SignUpCall) -> Tenant:
    """Sign up to the free plan, and save a card."""
    tenant = sign_up("free").tenant
    save(tenant)
    return tenant

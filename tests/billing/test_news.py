"""What webhooks hear of money: once for each thing that happened, and as their examples say."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

import billing.services
import tenants.services
from billing.models import (
    Currency,
    Invoice,
    Payment,
    PaymentMethod,
    PaymentState,
    Plan,
    Subscription,
    SubscriptionState,
)
from billing.services.attempts import attempt_note
from billing.services.offers import price_latest
from billing.services.subscriptions import subscription_switch
from tenants.models import OutboxEvent, Tenant, User
from tenants.webhook_types import event_type
from tests.billing.books import issued

NOW = timezone.now()

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(valkey: str) -> Tenant:
    """A tenant with an endpoint that hears of everything."""
    billing.services.seed(now=NOW)
    owner = User.objects.create_user("alice@example.com")
    tenant = billing.services.sign_up(
        user=owner,
        organization="Alice Corp",
        plan_code="free",
        currency=Currency.USD,
        now=NOW,
        language="en",
    ).tenant
    tenants.services.webhook_endpoint_create(
        tenant=tenant,
        url="https://hooks.example.com/",
        description="",
        event_types=[],
        actor=owner,
        now=NOW,
    )
    return tenant


def attempt(invoice: Invoice, number: int) -> Payment:
    return Payment.objects.create(
        invoice=invoice,
        attempt=number,
        method=PaymentMethod.CARD,
        state=PaymentState.PENDING,
        currency=invoice.currency,
        amount=invoice.total,
        created_at=NOW,
    )


def test_an_invoice_is_issued_declined_and_paid(tenant: Tenant) -> None:
    invoice = issued(tenant, 30_00, now=NOW)
    for number, code in ((1, "card_declined"), (2, "")):  # the second one we gave up ourselves
        payment = attempt(invoice, number)
        for _comes_twice in range(2):
            attempt_note(payment=payment, state=PaymentState.FAILED, code=code, now=NOW)
    late = attempt(invoice, 3)
    paying = attempt(invoice, 4)
    for _comes_twice in range(2):
        attempt_note(payment=paying, state=PaymentState.SUCCEEDED, now=NOW)
    attempt_note(payment=late, state=PaymentState.FAILED, code="card_declined", now=NOW)
    news = OutboxEvent.objects.filter(tenant=tenant).order_by("id")
    assert list(news.values_list("kind", flat=True)) == [
        "invoice.issued", "payment.failed", "invoice.paid",
    ]  # fmt: skip
    for each in news:
        type_ = event_type(each.kind)
        assert type_ is not None
        assert set(each.payload) == set(type_.example)
    paid = news.get(kind="invoice.paid").payload
    assert (paid["number"], paid["total"]) == (invoice.number, 30_00)
    assert paid["period_end"] == (invoice.period_end - timedelta(days=1)).isoformat()


def test_a_plan_is_changed(tenant: Tenant) -> None:
    active = Subscription.objects.get(tenant=tenant, state=SubscriptionState.ACTIVE)
    pro = Plan.objects.get(code="pro")
    begins = Subscription(
        tenant=tenant,
        plan=pro,
        price=price_latest(plan=pro, currency=Currency.USD),
        state=SubscriptionState.INCOMPLETE,
        created_at=NOW,
    )
    tomorrow = NOW.date() + timedelta(days=1)
    with transaction.atomic():
        subscription_switch(begins=begins, ends=active, on=tomorrow, fee_until=tomorrow, now=NOW)
    told = OutboxEvent.objects.get(kind="subscription.changed")
    assert told.payload == {"plan": "pro", "currency": "USD", "starts_on": tomorrow.isoformat()}

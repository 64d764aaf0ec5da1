"""Charge open invoices to the saved card: intent before effect, one charge per invoice.

The attempt's row is written first. If we die before noting the answer, the next run finds the row
under way and asks Stripe about it; only an attempt that is over allows another. Whether to try
again after a decline is dunning's to say.
"""

from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from billing import payments
from billing.models import Customer, Invoice, InvoiceState, Payment, PaymentState
from billing.payments import IntentState
from billing.services.invoices import invoice_paid

log = structlog.get_logger(__name__)

KEYS_LIVE = timedelta(hours=23)  # Stripe forgets idempotency keys after 24


def invoice_collect(*, invoice: Invoice, now: datetime) -> PaymentState | None:
    """Charge an open invoice; return what became of it, None where there is nothing to charge.

    Raise PaymentError where the outcome is unknown: the next run finds out.
    """
    customer = Customer.objects.filter(tenant=invoice.tenant_id).first()
    if customer is None or not customer.payment_method_id:
        Invoice.objects.filter(pk=invoice.pk, state=InvoiceState.OPEN).update(
            note=_("There is no saved card to charge.")
        )
        return None
    payment = _attempt(invoice, now)
    if payment is None:
        return None
    intent = _intent_of(payment, customer, now)
    if intent is not None:
        return payment_check(payment=payment, intent=intent, now=now)
    try:
        intent = payments.intent_create(
            customer_id=customer.stripe_id,
            payment_method_id=customer.payment_method_id,
            currency=payment.currency,
            amount=payment.amount,
            description=_("Invoice %(number)s") % {"number": invoice.number},
            metadata={"invoice": str(invoice.uuid), "attempt": str(payment.attempt)},
            idempotency_key=payment.idempotency_key,
        )
    except payments.PaymentDeclined as decline:
        return _note_decline(payment, decline, now)
    return payment_check(payment=payment, intent=intent, now=now)


@transaction.atomic
def _attempt(invoice: Invoice, now: datetime) -> Payment | None:
    """Return the attempt under way, or begin the first; None where there is nothing to try."""
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if invoice.state != InvoiceState.OPEN:
        return None
    last = invoice.payments.order_by("-attempt").first()
    if last is not None:
        return last if last.state == PaymentState.PENDING else None
    return Payment.objects.create(
        invoice=invoice,
        attempt=1,
        currency=invoice.currency,
        amount=invoice.total,
        created_at=now,
    )


def _intent_of(payment: Payment, customer: Customer, now: datetime) -> IntentState | None:
    """Return what an earlier run had made at Stripe for this attempt, if that is known."""
    if payment.payment_intent_id:
        return payments.intent_get(intent_id=payment.payment_intent_id)
    if now - payment.created_at > KEYS_LIVE:
        return payments.intent_find(
            customer_id=customer.stripe_id,
            metadata={"invoice": str(payment.invoice.uuid), "attempt": str(payment.attempt)},
        )
    return None  # the same idempotency key still gives the same answer


@transaction.atomic
def payment_check(*, payment: Payment, intent: IntentState, now: datetime) -> PaymentState:
    """Note what Stripe says of an attempt. Idempotent; a success pays the invoice."""
    invoice = Invoice.objects.select_for_update().get(pk=payment.invoice_id)
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    payment.payment_intent_id = intent.id
    match intent.status:
        case "succeeded":
            payment.state, payment.settled_at = PaymentState.SUCCEEDED, now
            payment.failure_code = payment.failure_message = ""
        case "requires_action":
            payment.state = PaymentState.NEEDS_ACTION
        case "requires_payment_method" | "canceled":
            payment.state, payment.settled_at = PaymentState.FAILED, now
            payment.failure_code = intent.decline_code[:60]
            payment.failure_message = intent.decline_message[:300]
    payment.save()
    if payment.state == PaymentState.SUCCEEDED and invoice.state == InvoiceState.OPEN:
        invoice_paid(invoice=invoice, now=now)
    elif payment.failure_message:
        invoice.note = payment.failure_message
        invoice.save(update_fields=["note"])
    return PaymentState(payment.state)


@transaction.atomic
def _note_decline(
    payment: Payment, decline: payments.PaymentDeclined, now: datetime
) -> PaymentState:
    needs_action = isinstance(decline, payments.AuthenticationNeeded)
    payment.state = PaymentState.NEEDS_ACTION if needs_action else PaymentState.FAILED
    payment.payment_intent_id = decline.payment_intent_id
    payment.failure_code = decline.code[:60]
    payment.failure_message = decline.message[:300]
    payment.settled_at = None if needs_action else now
    payment.save()
    Invoice.objects.filter(pk=payment.invoice_id).update(note=payment.failure_message)
    return PaymentState(payment.state)


def invoices_to_collect(*, limit: int = 500) -> list[Invoice]:
    """Return open invoices that no attempt was made for, or whose attempt is still under way."""
    open_ = Invoice.objects.filter(state=InvoiceState.OPEN)
    untried = open_.exclude(
        payments__state__in=[
            PaymentState.FAILED,
            PaymentState.NEEDS_ACTION,
            PaymentState.SUCCEEDED,
        ]
    )
    return list(untried.order_by("id").distinct()[:limit])

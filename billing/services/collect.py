"""Charge open invoices to the saved card: intent before effect, one charge per invoice.

The attempt's row is written first. If we die before noting the answer, the next run finds the row
under way and asks Stripe about it; only an attempt that is over allows another. Whether to try
again after a decline is an operator's, later dunning's, to say.
"""

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing import payments
from billing.models import (
    Customer,
    Invoice,
    InvoiceState,
    Payment,
    PaymentMethod,
    PaymentState,
)
from billing.payments import IntentState
from billing.services.credit import attempt_next, credit_spend
from billing.services.receipts import payment_received


def invoice_collect(*, invoice: Invoice, now: datetime) -> PaymentState | None:
    """Charge an open invoice; return what became of it, None where there is nothing to charge.

    Raise PaymentUnavailable where the outcome is unknown: the next run finds out.
    """
    return _collect(invoice, after=0, now=now)


def invoice_retry(*, invoice: Invoice, now: datetime) -> PaymentState | None:
    """Charge an open invoice once more, say to another card. Raise PaymentError.

    The last attempt is cancelled at Stripe first, so that its holder cannot confirm it afterwards
    and pay twice.
    """
    last = _last_charge(invoice)
    if last is None or last.state not in {PaymentState.FAILED, PaymentState.NEEDS_ACTION}:
        return invoice_collect(invoice=invoice, now=now)
    if last.payment_intent_id:
        intent = payments.intent_cancel(intent_id=last.payment_intent_id)
        state = payment_check(payment=last, intent=intent, now=now)
        if state != PaymentState.FAILED:
            return state
    return _collect(invoice, after=last.attempt, now=now)


def _collect(invoice: Invoice, *, after: int, now: datetime) -> PaymentState | None:
    """Spend the tenant's credit first. Then make the attempt that follows number `after`, or look
    what became of one under way.
    """
    spent = credit_spend(invoice=invoice, now=now)
    if spent is not None and spent.invoice.state == InvoiceState.PAID:
        return PaymentState.SUCCEEDED
    with override(invoice.tenant.language):  # the notes are for the tenant
        return _attempt_make(invoice, after, now)


def _attempt_make(invoice: Invoice, after: int, now: datetime) -> PaymentState | None:
    customer = Customer.objects.filter(tenant=invoice.tenant_id).first()
    if customer is None or not customer.payment_method_id:
        Invoice.objects.filter(pk=invoice.pk, state=InvoiceState.OPEN).update(
            note=_("There is no saved card to charge.")
        )
        return None
    payment = _attempt(invoice, card=customer.payment_method_id, after=after, now=now)
    if payment is None:
        return None
    intent = _intent_of(payment, customer, now)
    if intent is not None:
        return payment_check(payment=payment, intent=intent, now=now)
    try:
        intent = payments.intent_create(
            customer_id=customer.stripe_id,
            # The attempt's own card, not today's: a repeat must say the same, or Stripe refuses it.
            payment_method_id=payment.payment_method_id,
            currency=payment.currency,
            amount=payment.amount,
            description=f"Invoice {invoice.number}",
            metadata={"invoice": str(invoice.uuid), "attempt": str(payment.attempt)},
            idempotency_key=payment.idempotency_key,
        )
    except payments.PaymentDeclined as decline:
        return _note_decline(payment, decline, now)
    except payments.PaymentRefused as refusal:  # below the smallest charge, a card that is gone
        return _note_refusal(payment, refusal, now)
    return payment_check(payment=payment, intent=intent, now=now)


@transaction.atomic
def _attempt(invoice: Invoice, *, card: str, after: int, now: datetime) -> Payment | None:
    """Return the attempt under way; begin one where the last is number `after` (0: none yet).

    None where there is nothing to try: the invoice is not open, or its last attempt is over.
    """
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if invoice.state != InvoiceState.OPEN:
        return None
    last = _last_charge(invoice)
    if (last.attempt if last else 0) != after:
        return last if last and last.state == PaymentState.PENDING else None
    return Payment.objects.create(
        invoice=invoice,
        attempt=attempt_next(invoice),
        currency=invoice.currency,
        amount=invoice.amount_due,
        payment_method_id=card,
        created_at=now,
    )


def _last_charge(invoice: Invoice) -> Payment | None:
    """Return the last attempt on a card: banks and credit pay beside it."""
    return invoice.payments.filter(method=PaymentMethod.CARD).order_by("-attempt").first()


def _intent_of(payment: Payment, customer: Customer, now: datetime) -> IntentState | None:
    """Return what an earlier run had made at Stripe for this attempt, if that is known."""
    if payment.payment_intent_id:
        return payments.intent_get(intent_id=payment.payment_intent_id)
    if now - payment.created_at > payments.KEYS_LIVE:
        return payments.intent_find(
            customer_id=customer.stripe_id,
            metadata={"invoice": str(payment.invoice.uuid), "attempt": str(payment.attempt)},
        )
    return None  # the same idempotency key still gives the same answer


@transaction.atomic
def payment_check(*, payment: Payment, intent: IntentState, now: datetime) -> PaymentState:
    """Note what Stripe says of an attempt. Idempotent; a success is final, and is counted once."""
    invoice = Invoice.objects.select_for_update().get(pk=payment.invoice_id)
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    if payment.state == PaymentState.SUCCEEDED:
        return PaymentState.SUCCEEDED
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
    if payment.state == PaymentState.SUCCEEDED:
        payment_received(payment=payment, invoice=invoice, now=now)
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


@transaction.atomic
def _note_refusal(
    payment: Payment, refusal: payments.PaymentRefused, now: datetime
) -> PaymentState:
    payment.state, payment.settled_at = PaymentState.FAILED, now
    payment.failure_code = refusal.code[:60]
    payment.failure_message = str(refusal)[:300]
    payment.save()
    Invoice.objects.filter(pk=payment.invoice_id).update(
        note=_("This is too small an amount to be charged to a card.")
        if refusal.code == "amount_too_small"
        else _("The saved card cannot be charged. Please save another.")
    )
    return PaymentState(payment.state)


def invoices_to_collect() -> Iterator[Invoice]:
    """Yield the open invoices that no attempt was made for, or whose last one is under way.

    All of them: those that nothing can be charged for must not keep others waiting.
    """
    charges = Payment.objects.filter(invoice=OuterRef("pk"), method=PaymentMethod.CARD)
    last = charges.order_by("-attempt").values("state")[:1]
    open_ = Invoice.objects.filter(state=InvoiceState.OPEN).annotate(last=Subquery(last))
    untried = open_.filter(Q(last=None) | Q(last=PaymentState.PENDING))
    for pk in list(untried.order_by("id").values_list("pk", flat=True)):
        yield Invoice.objects.select_related("tenant").get(pk=pk)

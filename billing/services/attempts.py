"""Attempts to pay an invoice by card: one at a time, and what Stripe says of each. No network.

An attempt's row is written before Stripe is asked. One that names no payment method is at Checkout,
where its holder tries cards until one is good: it is over when its session is.
"""

from datetime import datetime

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import override

from billing.declines import in_words
from billing.models import Invoice, InvoiceState, Payment, PaymentMethod, PaymentState
from billing.money import display
from billing.payments import Card, CheckoutState, IntentState
from billing.services.cards import card_keep
from billing.services.credit import attempt_next
from billing.services.locks import invoice_locked
from billing.services.news import payment_failed_tell
from billing.services.receipts import payment_received
from tenants.permissions import Act
from tenants.services import mail_members

CONFIRM = "authentication_required"  # Stripe's code where the bank wants the cardholder


def last_attempt(invoice: Invoice) -> Payment | None:
    """Return the newest attempt by card, whatever came of it."""
    return invoice.payments.filter(method=PaymentMethod.CARD).order_by("-attempt").first()


def is_at_checkout(payment: Payment) -> bool:
    """Say whether an attempt's holder chooses a card at Checkout."""
    return not payment.payment_method_id


@transaction.atomic
def attempt_begin(*, invoice: Invoice, card: str, after: int, now: datetime) -> Payment | None:
    """Return the attempt under way; begin one where the last is number `after` (0: none yet).

    None where there is nothing to try: the invoice is not open, its last attempt is over, or what
    is due is too small to be charged.
    """
    invoice = invoice_locked(invoice.pk)
    if invoice.state != InvoiceState.OPEN:
        return None
    last = last_attempt(invoice)
    if last and last.state == PaymentState.PENDING:
        return last
    if (last.attempt if last else 0) != after or invoice.is_too_small:
        return None
    return Payment.objects.create(
        invoice=invoice,
        attempt=attempt_next(invoice),
        currency=invoice.currency,
        amount=invoice.amount_due,
        payment_method_id=card,
        created_at=now,
    )


def payment_check(*, payment: Payment, intent: IntentState, now: datetime) -> PaymentState:
    """Note what Stripe says of an attempt. Idempotent; a success is final, and is counted once."""
    state = PaymentState.PENDING
    match intent.status:
        case "succeeded":
            state = PaymentState.SUCCEEDED
        case "canceled":
            state = PaymentState.FAILED
        case "requires_action" if not is_at_checkout(payment):
            state = PaymentState.NEEDS_ACTION
        case "requires_payment_method" if not is_at_checkout(payment):
            asks = intent.decline_code == CONFIRM
            state = PaymentState.NEEDS_ACTION if asks else PaymentState.FAILED
    return attempt_note(
        payment=payment,
        state=state,
        intent_id=intent.id,
        code=intent.decline_code,
        message=intent.decline_message,
        now=now,
    )


def session_check(*, payment: Payment, checkout: CheckoutState, now: datetime) -> PaymentState:
    """Note what Checkout says of an attempt, and keep the card that paid. Idempotent."""
    state = PaymentState.PENDING
    if checkout.is_paid:
        state = PaymentState.SUCCEEDED
    elif checkout.status == "expired":
        state = PaymentState.FAILED
    return attempt_note(
        payment=payment,
        state=state,
        intent_id=checkout.payment_intent_id,
        code=checkout.decline_code,
        message=checkout.decline_message,
        card=checkout.card if checkout.is_paid else None,
        now=now,
    )


@transaction.atomic
def attempt_note(
    *,
    payment: Payment,
    state: PaymentState,
    intent_id: str = "",
    code: str = "",
    message: str = "",
    card: Card | None = None,
    now: datetime,
) -> PaymentState:
    """Write what became of an attempt; return it. One that is over stays so, but that Stripe may
    say of one which failed that it succeeded after all.

    The card that paid is kept then, and not again: it may have been removed since.

    Where the bank wants the cardholder, the tenant is told where to go.
    """
    invoice = invoice_locked(payment.invoice_id)
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    has_failed = payment.state == PaymentState.FAILED
    if payment.state == PaymentState.SUCCEEDED or (has_failed and state != PaymentState.SUCCEEDED):
        return PaymentState(payment.state)
    payment.state = state
    payment.payment_intent_id = intent_id or payment.payment_intent_id
    if state == PaymentState.SUCCEEDED:
        payment.failure_code = payment.failure_message = ""
    elif code or message:
        payment.failure_code, payment.failure_message = code[:60], message[:300]
    if state in {PaymentState.SUCCEEDED, PaymentState.FAILED}:
        payment.settled_at = now
    payment.save()
    if state == PaymentState.SUCCEEDED:
        payment_received(payment=payment, invoice=invoice, now=now)
        if card is not None:
            card_keep(tenant=invoice.tenant, card=card, now=now)
    elif invoice.state == InvoiceState.OPEN:
        with override("en"):
            invoice.note = in_words(payment.failure_code, payment.failure_message)[:300]
        invoice.save(update_fields=["note"])
        if state == PaymentState.NEEDS_ACTION:
            _ask_cardholder(payment, invoice, now)
        elif payment.failure_code:  # nobody declined one that we gave up ourselves
            payment_failed_tell(payment=payment, invoice=invoice, now=now)
    return state


def _ask_cardholder(payment: Payment, invoice: Invoice, now: datetime) -> None:
    """Mail where to confirm the payment, once per attempt. The invoice waits."""
    with override(invoice.tenant.language):
        context = {
            "number": invoice.number,
            "amount": display(payment.amount, payment.currency),
            "day": date_format(now.date()),
        }
    mail_members(
        tenant=invoice.tenant,
        act=Act.BUY,
        kind="billing.payment_confirm",
        key=f"payment-confirm:{invoice.uuid}:{payment.attempt}",
        context=context,
        now=now,
    )

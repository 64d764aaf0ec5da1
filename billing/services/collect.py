"""Charge open invoices to the saved card: intent before effect, one attempt per invoice at a time.

If we die before noting the answer, the next run finds the attempt under way and asks Stripe about
it; only one that is over allows another. Whether to try again after a decline is for dunning, or an
operator, to say.
"""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext_noop

from billing import payments
from billing.models import (
    Account,
    Customer,
    Entry,
    Invoice,
    InvoiceState,
    Payment,
    PaymentMethod,
    PaymentState,
)
from billing.payments import IntentState
from billing.services.attempts import (
    attempt_begin,
    attempt_note,
    is_at_checkout,
    last_attempt,
    payment_check,
    session_check,
)
from billing.services.credit import credit_spend

MADE_WITHIN = timedelta(minutes=10)  # an attempt is made at Stripe, or never


def invoice_collect(*, invoice: Invoice, now: datetime) -> PaymentState | None:
    """Charge an open invoice; return what became of it, None where there is nothing to charge.

    Raise PaymentUnavailable where the outcome is unknown: the next run finds out.
    """
    last = last_attempt(invoice)
    charges = invoice.payments.filter(method=PaymentMethod.CARD).exclude(payment_method_id="")
    is_untried = last is not None and not charges.exists()  # at Checkout alone, which is no try
    return _collect(invoice, after=last.attempt if last and is_untried else 0, now=now)


def invoice_retry(
    *, invoice: Invoice, now: datetime, after: int | None = None
) -> PaymentState | None:
    """Charge an open invoice once more, say to another card. Raise PaymentError.

    The last attempt is ended at Stripe first, so that its holder cannot confirm it afterwards and
    pay twice. With `after`, the number of the last attempt (0: none) when this try was decided on,
    a repeat is the same try.
    """
    last = last_attempt(invoice)
    if last is None:
        return _collect(invoice, after=0, now=now)
    if after is not None and last.attempt > after and last.state != PaymentState.PENDING:
        return PaymentState(last.state)
    was_under_way = last.state == PaymentState.PENDING and not is_at_checkout(last)
    state = attempt_end(payment=last, now=now)
    is_this_try = was_under_way and (after is None or last.attempt > after)
    if state == PaymentState.PENDING or is_this_try:
        return state
    return _collect(invoice, after=last.attempt, now=now)


def attempt_end(*, payment: Payment, now: datetime) -> PaymentState:
    """See to it that an attempt can pay no more, and return what became of it. Raise PaymentError.

    It stays pending only where it is being made at this very moment.
    """
    if payment.state == PaymentState.SUCCEEDED:
        return PaymentState.SUCCEEDED
    if payment.state == PaymentState.PENDING:
        if payment.checkout_session_id:
            payments.checkout_expire(session_id=payment.checkout_session_id)
        return _look(payment, now)
    if is_at_checkout(payment) or not payment.payment_intent_id:
        return PaymentState(payment.state)
    intent = payments.intent_cancel(intent_id=payment.payment_intent_id)
    return payment_check(payment=payment, intent=intent, now=now)


def _collect(invoice: Invoice, *, after: int, now: datetime) -> PaymentState | None:
    """Look what became of an attempt under way. Where there is none, spend the tenant's credit, and
    make the attempt that follows number `after`.
    """
    last = last_attempt(invoice)
    if last is not None and last.state == PaymentState.PENDING:
        return _look(last, now)
    spent = credit_spend(invoice=invoice, now=now)
    if spent is not None and spent.invoice.state == InvoiceState.PAID:
        return PaymentState.SUCCEEDED
    customer = Customer.objects.filter(tenant=invoice.tenant_id).first()
    if customer is None or not customer.payment_method_id:
        Invoice.objects.filter(pk=invoice.pk, state=InvoiceState.OPEN).update(
            note=gettext_noop("There is no saved card to charge.")
        )
        return None
    card = customer.payment_method_id
    payment = attempt_begin(invoice=invoice, card=card, after=after, now=now)
    return _look(payment, now) if payment is not None else None


def _look(payment: Payment, now: datetime) -> PaymentState:
    """Bring an attempt that is under way further, and note what became of it."""
    if is_at_checkout(payment):
        return _session_look(payment, now)
    return _charge(payment, Customer.objects.get(tenant=payment.invoice.tenant_id), now)


def _charge(payment: Payment, customer: Customer, now: datetime) -> PaymentState:
    """Make the charge of an attempt; where an earlier run did, note what came of that.

    Of an invoice that is not open any more no charge is made.
    """
    is_open = Invoice.objects.filter(pk=payment.invoice_id, state=InvoiceState.OPEN).exists()
    intent = _intent_of(payment, customer, now, is_open=is_open)
    if intent is not None:
        return payment_check(payment=payment, intent=intent, now=now)
    if not is_open:
        return _give_up(payment, now)
    try:
        intent = payments.intent_create(
            customer_id=customer.stripe_id,
            # The attempt's own card, not today's: a repeat must say the same, or Stripe refuses it.
            payment_method_id=payment.payment_method_id,
            currency=payment.currency,
            amount=payment.amount,
            description=f"Invoice {payment.invoice.number}",
            metadata={"invoice": str(payment.invoice.uuid), "attempt": str(payment.attempt)},
            idempotency_key=payment.idempotency_key,
        )
    except payments.PaymentDeclined as decline:
        asks = isinstance(decline, payments.AuthenticationNeeded)
        return attempt_note(
            payment=payment,
            state=PaymentState.NEEDS_ACTION if asks else PaymentState.FAILED,
            intent_id=decline.payment_intent_id,
            code=decline.code,
            message=decline.message,
            now=now,
        )
    except payments.PaymentRefused as refusal:  # below the smallest charge, a card that is gone
        return attempt_note(
            payment=payment,
            state=PaymentState.FAILED,
            code="amount_too_small" if refusal.code == "amount_too_small" else "refused",
            message=str(refusal),
            now=now,
        )
    return payment_check(payment=payment, intent=intent, now=now)


def _intent_of(
    payment: Payment, customer: Customer, now: datetime, *, is_open: bool
) -> IntentState | None:
    """Return what an earlier run had made at Stripe for this attempt, if that is known."""
    if payment.payment_intent_id:
        return payments.intent_get(intent_id=payment.payment_intent_id)
    if not is_open or now - payment.created_at > payments.KEYS_LIVE:
        return payments.intent_find(
            customer_id=customer.stripe_id,
            metadata={"invoice": str(payment.invoice.uuid), "attempt": str(payment.attempt)},
        )
    return None  # the same idempotency key still gives the same answer


def _session_look(payment: Payment, now: datetime) -> PaymentState:
    """Ask Checkout about an attempt. One that got no session can be paid by nobody."""
    if payment.checkout_session_id:
        checkout = payments.checkout_get(session_id=payment.checkout_session_id)
        return session_check(payment=payment, checkout=checkout, now=now)
    return _give_up(payment, now)


def _give_up(payment: Payment, now: datetime) -> PaymentState:
    """End an attempt that Stripe knows nothing of, unless it is being made at this very moment."""
    if now - payment.created_at < MADE_WITHIN:
        return PaymentState.PENDING
    return attempt_note(payment=payment, state=PaymentState.FAILED, now=now)


def invoices_to_collect() -> QuerySet[Invoice]:
    """Return the open invoices that no saved card was charged for, or with an attempt under way, or
    of a tenant with credit to spend.

    All of them: those that nothing can be charged for must not keep others waiting.
    """
    attempts = Payment.objects.filter(invoice=OuterRef("pk"), method=PaymentMethod.CARD)
    is_tried = Exists(attempts.exclude(payment_method_id=""))
    is_under_way = Exists(attempts.filter(state=PaymentState.PENDING))
    entries = Entry.objects.filter(
        account=Account.CREDIT,
        posting__tenant=OuterRef("tenant"),
        posting__currency=OuterRef("currency"),
    )
    sums = entries.order_by().values("posting__tenant").annotate(total=Sum("amount"))
    open_ = Invoice.objects.filter(state=InvoiceState.OPEN).alias(
        credit=Subquery(sums.values("total"))
    )
    open_ = open_.filter(~is_tried | is_under_way | Q(credit__lt=0))
    return open_.select_related("tenant").order_by("id")

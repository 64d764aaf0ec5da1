"""Refunds to cards, whole or in part: a row first, then Stripe, then what Stripe says of it.

What goes back is credit that the tenant has on the invoice, say by a credit note. It is held from
the moment that the row is written, so that it cannot be spent meanwhile:

    PENDING     credit -> held      nobody knows yet whether Stripe has done it
    SUCCEEDED   held -> Stripe      a bank may still send it back, weeks later
    FAILED      (held | Stripe) -> credit

One that was made at Stripe holds nothing. It is a loss (losses -> Stripe), unless it was owed, or
comes to be: that is set off (set_offs.py).
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

import tenants.services
from billing import balances, payments
from billing.models import (
    Account,
    Dispute,
    Invoice,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
)
from billing.models.disputes import IS_STANDING, IS_UNSETTLED
from billing.payments import StripeRefund
from billing.services.ledger import refund_post
from billing.services.locks import invoice_locked
from billing.services.set_offs import losses_set_off
from tenants import queue
from tenants.errors import Refused
from tenants.models import User

log = structlog.get_logger(__name__)


@transaction.atomic
def refund_request(
    *,
    payment: Payment,
    amount: int,
    reason: str,
    actor: User | None,
    now: datetime,
    credit_note: Invoice | None = None,
) -> Refund:
    """Write a refund of a card payment, in minor units, and queue its sending on commit.

    Raise Refused for more than may go back: than was paid by this card, than the invoice has too
    much, than the tenant has not spent. And where the cardholder disputes the payment: the bank
    would pay the same back.
    """
    invoice = invoice_locked(payment.invoice_id)
    payment = Payment.objects.select_for_update().get(pk=payment.pk)
    if reason_against := refund_refusal(payment):
        raise Refused(reason_against)
    if not 0 < amount <= balances.refundable(payment=payment, invoice=invoice):
        raise Refused(_("That is more than can be paid back to this card."))
    refund = Refund.objects.create(
        payment=payment,
        credit_note=credit_note,
        amount=amount,
        owed_back=amount,
        reason=reason[:200],
        created_by=actor,
        created_at=now,
    )
    refund_post(
        refund=refund,
        step="refund_held",
        entries={Account.CREDIT: amount, Account.HELD: -amount},
        now=now,
    )
    tenants.services.audit_record(
        action="refund.requested",
        tenant=invoice.tenant,
        actor=actor,
        now=now,
        target=invoice.number,
        amount=amount,
        currency=payment.currency,
        reason=reason,
    )
    queue.on_commit("billing.tasks.refund_send", refund.pk, queue="default")
    return refund


@transaction.atomic
def credit_note_refund(*, credit_note: Invoice, actor: User | None, now: datetime) -> list[Refund]:
    """Pay back to the cards what a credit note made the tenant's credit, the newest payment first.

    What no card can take, since it came by bank, was credit itself, or is disputed, stays credit.
    """
    if credit_note.corrects_id is None:
        raise ValueError(f"{credit_note} is not a credit note.")
    invoice = invoice_locked(credit_note.corrects_id)
    rest = (
        -credit_note.total
        - (
            credit_note.refunds.exclude(state=RefundState.FAILED).aggregate(
                total=Sum("amount", default=0)
            )["total"]
        )
    )
    refunds = []
    cards = invoice.payments.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    for payment in cards.order_by("-attempt"):
        if refund_refusal(payment):
            continue
        amount = min(rest, balances.refundable(payment=payment, invoice=invoice))
        if amount > 0:
            rest -= amount
            refund = refund_request(
                payment=payment,
                amount=amount,
                reason=credit_note.note,
                actor=actor,
                now=now,
                credit_note=credit_note,
            )
            refunds.append(refund)
    return refunds


def refund_send(*, refund: Refund, now: datetime) -> RefundState:
    """Have Stripe pay a refund back, or look what became of it. Raise PaymentUnavailable where that
    is unknown: a repeat is harmless.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund.pk)
    if refund.state != RefundState.PENDING:
        return RefundState(refund.state)
    try:
        found = _stripe_refund(refund, now)
    except payments.PaymentRefused as refusal:
        return _refund_fail(refund, str(refusal), now)
    return refund_settle(refund=refund, found=found, now=now)


def _stripe_refund(refund: Refund, now: datetime) -> StripeRefund:
    if refund.stripe_id:
        return payments.refund_get(refund_id=refund.stripe_id)
    intent_id = refund.payment.payment_intent_id
    metadata = {"refund": str(refund.uuid)}
    if now - refund.created_at > payments.KEYS_LIVE:
        found = payments.refund_find(payment_intent_id=intent_id, metadata=metadata)
        if found is not None:
            return found
    return payments.refund_create(
        payment_intent_id=intent_id,
        amount=refund.amount,
        metadata=metadata,
        idempotency_key=f"refund-{refund.uuid}",
    )


@transaction.atomic
def refund_settle(*, refund: Refund, found: StripeRefund, now: datetime) -> RefundState:
    """Note what Stripe says of a refund, ours or not. Idempotent; what failed stays so."""
    if found.status in {"failed", "canceled"}:
        return _refund_fail(refund, found.failure_reason or found.status, now, stripe_id=found.id)
    invoice = invoice_locked(refund.payment.invoice_id)
    refund = Refund.objects.select_for_update().get(pk=refund.pk)
    if refund.state == RefundState.PENDING:
        refund.stripe_id = found.id
        if found.status == "succeeded":
            refund.state, refund.settled_at = RefundState.SUCCEEDED, now
            invoice.amount_paid -= refund.owed_back
            invoice.save(update_fields=["amount_paid"])
            source = Account.LOSSES if refund.made_at_stripe else Account.HELD
            refund_post(
                refund=refund,
                step="refund",
                entries={source: refund.amount, Account.STRIPE: -refund.amount},
                now=now,
            )
        refund.save(update_fields=["stripe_id", "state", "settled_at"])
        losses_set_off(invoice=invoice, now=now)
    return RefundState(refund.state)


@transaction.atomic
def _refund_fail(
    refund: Refund, message: str, now: datetime, *, stripe_id: str = ""
) -> RefundState:
    """Note why a refund failed: the money is the tenant's credit again."""
    invoice = invoice_locked(refund.payment.invoice_id)
    refund = Refund.objects.select_for_update().get(pk=refund.pk)
    if refund.state == RefundState.FAILED:
        return RefundState.FAILED
    entries = {Account.CREDIT: -refund.owed_back, Account.LOSSES: refund.owed_back - refund.amount}
    if refund.state == RefundState.SUCCEEDED:
        entries[Account.STRIPE] = refund.amount
        invoice.amount_paid += refund.owed_back
        invoice.save(update_fields=["amount_paid"])
    else:
        entries[Account.HELD] = refund.amount
    if refund.state == RefundState.SUCCEEDED or not refund.made_at_stripe:
        refund_post(refund=refund, step="refund_failed", entries=entries, now=now)
    refund.state, refund.settled_at = RefundState.FAILED, now
    refund.stripe_id = refund.stripe_id or stripe_id
    refund.failure_message = message[:300]
    refund.save(update_fields=["state", "settled_at", "stripe_id", "failure_message"])
    losses_set_off(invoice=invoice, now=now)  # it is credit only where no bank has paid it back
    log.warning("refund.failed", refund=str(refund.uuid), reason=message)
    return RefundState.FAILED


def refund_refusal(payment: Payment) -> str:
    """Return why none of a payment goes back, in words: the cardholder has its money back from
    their bank, or may get it. Empty where it may; of a dispute that was won in part, the rest, if
    Stripe refunds it.
    """
    standing = Dispute.objects.filter(IS_STANDING, payment=payment)
    if standing.filter(IS_UNSETTLED).exists():
        return _("The cardholder disputes this payment: it cannot be paid back as well.")
    if standing.exists():
        return _(
            "The dispute of this payment was lost: Stripe refunds no more of it, even where a part"
            " came back. What is owed stays the tenant's credit."
        )
    return ""


def refunds_waiting() -> list[Refund]:
    """Return the refunds that nobody knows the end of, the oldest first."""
    return list(Refund.objects.filter(state=RefundState.PENDING).order_by("id"))

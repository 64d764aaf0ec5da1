"""Disputes: noted as Stripe tells them, in whatever order that comes, each movement booked once.

    withdrawn   Stripe -> disputed          the bank has taken the money
    lost        disputed -> losses          but credit or held, as far as we owed it back already
    reinstated  from where it is -> Stripe  we won

The invoice stays paid: what was sold was sold. What we owed back of it already, or of an order
that could not be delivered, is paid back by a lost dispute: nobody gets it twice. Operators are
told by mail when evidence is asked for; nothing changes for the tenant but that the payment is said
to be disputed, and that what it may get back by the bank is no credit to spend meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from billing import balances, payments
from billing.models import (
    Account,
    Dispute,
    DisputeStatus,
    Invoice,
    Order,
    OrderState,
    Payment,
    PaymentMethod,
    PaymentState,
    StripeList,
)
from billing.models.disputes import ASKED, OVER
from billing.money import display
from billing.payments import StripeDispute
from billing.services.cursors import cursor_move, cursor_reached
from billing.services.ledger import post
from billing.services.locks import invoice_locked
from billing.services.notices import notice_add
from tenants.models import Tenant

log = structlog.get_logger(__name__)

OVERLAP = timedelta(days=1)  # a dispute may be listed later than it was made
LOOK_BACK = timedelta(days=180)  # the first time: cardholders have about 120 days


@transaction.atomic
def dispute_settle(*, found: StripeDispute, now: datetime) -> Dispute | None:
    """Note what Stripe says of a dispute. Idempotent; one that is over stays so.

    None where it is of no payment of ours, as far as we know.
    """
    payment, order = _payment_of(found), _order_of(found)
    if payment is not None:
        invoice: Invoice | None = invoice_locked(payment.invoice_id)
        tenant = payment.invoice.tenant
    elif order is not None:
        order = Order.objects.select_for_update().select_related("tenant").get(pk=order.pk)
        invoice, tenant = None, order.tenant
    else:
        return None
    Dispute.objects.get_or_create(
        stripe_id=found.id,
        defaults={
            "payment": payment,
            "order": None if payment else order,
            "payment_intent_id": found.payment_intent_id,
            "currency": found.currency,
            "amount": found.amount,
            "opened_at": found.opened_at,
        },
    )
    dispute = Dispute.objects.select_for_update().get(stripe_id=found.id)
    if dispute.closed_at is None or found.status in OVER:  # else the answer is an old one
        dispute.status, dispute.reason = found.status, found.reason[:60]
        dispute.evidence_due_by = found.evidence_due_by
        if found.status in OVER:
            dispute.closed_at = dispute.closed_at or now
    if dispute.withdrawn_at is None:
        dispute.amount = found.amount  # an inquiry may be over less than what becomes of it
    if payment is None:
        dispute.order = order
    dispute.save()  # what is not decided any more can be settled
    for kind, entries in _movements(dispute, found, invoice, now):
        post(
            key=f"{kind}:{found.id}",
            entries=entries,
            currency=dispute.currency,
            now=now,
            tenant=tenant,
            invoice=invoice,
        )
    dispute.save()
    if dispute.status in ASKED:
        _tell_operators(dispute, tenant, invoice, now)
    return dispute


def _payment_of(found: StripeDispute) -> Payment | None:
    paid = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    mine = paid.filter(payment_intent_id=found.payment_intent_id).exclude(payment_intent_id="")
    return mine.select_related("invoice__tenant").first()


def _order_of(found: StripeDispute) -> Order | None:
    """Return the order that was paid and has no invoice; the one that is due, where a refund came
    back.
    """
    mine = Order.objects.filter(payment_intent_id=found.payment_intent_id, invoice=None)
    mine = mine.exclude(payment_intent_id="").order_by("id")
    return mine.filter(state=OrderState.REFUND_DUE).first() or mine.first()


def _movements(
    dispute: Dispute, found: StripeDispute, invoice: Invoice | None, now: datetime
) -> Iterator[tuple[str, dict[Account, int]]]:
    """Yield what is new to the books, noting it on the dispute."""
    amount = dispute.amount
    if found.is_withdrawn and dispute.withdrawn_at is None:
        dispute.withdrawn_at = now
        yield "dispute", {Account.DISPUTED: amount, Account.STRIPE: -amount}
    if found.is_reinstated and dispute.reinstated_at is None:
        dispute.reinstated_at = now
        was_in = _unsettle(dispute, invoice) if dispute.lost_at else {Account.DISPUTED: -amount}
        yield "dispute_won", {Account.STRIPE: amount, **was_in}
    is_gone = dispute.withdrawn_at and not dispute.reinstated_at
    if dispute.status == DisputeStatus.LOST and is_gone and dispute.lost_at is None:
        dispute.lost_at = now
        yield "dispute_lost", {Account.DISPUTED: -amount, **_settle(dispute, invoice, now)}


def _settle(dispute: Dispute, invoice: Invoice | None, now: datetime) -> dict[Account, int]:
    """Note what a lost dispute paid back that we owed; return where its amount goes.

    An order that is to be refunded is, unless less of it was disputed.
    """
    order = dispute.order
    if dispute.payment and invoice:
        back = min(dispute.amount, balances.refundable(payment=dispute.payment, invoice=invoice))
        invoice.amount_paid -= back
        invoice.save(update_fields=["amount_paid"])
    elif order and order.state == OrderState.REFUND_DUE and dispute.amount >= order.amount:
        back = order.amount
        order.state, order.refunded_at = OrderState.REFUNDED, now
        order.refund_id = order.decline_message = ""  # no refund of ours paid it back
        order.save(update_fields=["state", "refunded_at", "refund_id", "decline_message"])
    else:
        back = 0
    dispute.owed_back = back
    return {_owed(dispute): back, Account.LOSSES: dispute.amount - back}


def _unsettle(dispute: Dispute, invoice: Invoice | None) -> dict[Account, int]:
    """Owe again what a lost dispute paid back, now that it is won; return from where it comes."""
    back, order = dispute.owed_back, dispute.order
    if invoice:
        invoice.amount_paid += back
        invoice.save(update_fields=["amount_paid"])
    elif order and back:
        order.state, order.refunded_at = OrderState.REFUND_DUE, None
        order.save(update_fields=["state", "refunded_at"])
    dispute.owed_back = 0
    return {_owed(dispute): -back, Account.LOSSES: back - dispute.amount}


def _owed(dispute: Dispute) -> Account:
    """Return where the books have what we owe back."""
    return Account.CREDIT if dispute.payment else Account.HELD


def _tell_operators(
    dispute: Dispute, tenant: Tenant, invoice: Invoice | None, now: datetime
) -> None:
    """Mail that evidence is asked for; once more where an inquiry has become a dispute."""
    due_by = dispute.evidence_due_by
    notice_add(
        tenant=tenant,
        kind="dispute_opened",
        key=f"{dispute.status}:{dispute.stripe_id}",
        context={
            "amount": display(dispute.amount, dispute.currency, language="en"),
            "number": invoice.number if invoice else "",
            "reason": dispute.reason,
            "due_by": f"{due_by:%Y-%m-%d %H:%M} UTC" if due_by else "",
            "page": payments.payment_page(payment_intent_id=dispute.payment_intent_id),
        },
        now=now,
        for_operators=True,
    )


@dataclass
class DisputesRun:
    """The disputes that there was news of. `failed` maps an id to the reason."""

    news: list[StripeDispute] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def disputes_fetch(*, now: datetime, dry_run: bool = False) -> DisputesRun:
    """Note what is new of the disputes that were opened since this was done last, of those that are
    not over, and of those that were won and whose money is not back.

    Raise PaymentError where they cannot be listed; one that fails stops no other, and is taken
    again the next time. In a dry run nothing is noted.
    """
    run = DisputesRun()
    since = cursor_reached(StripeList.DISPUTES)
    since = since - OVERLAP if since else now - LOOK_BACK
    found = {one.id: one for one in payments.disputes_since(since=since)}
    reached = now
    for one in filter(_is_news, found.values()):
        try:
            if not dry_run:
                dispute_settle(found=one, now=now)
        except Exception as error:
            _note_failure(run, one.id, error)
            reached = min(reached, one.opened_at)  # it is listed again
        else:
            run.news.append(one)
    for dispute_id in _unsettled().exclude(stripe_id__in=found).values_list("stripe_id", flat=True):
        try:
            one = payments.dispute_get(dispute_id=dispute_id)
            if _is_news(one):
                if not dry_run:
                    dispute_settle(found=one, now=now)
                run.news.append(one)
        except Exception as error:
            _note_failure(run, dispute_id, error)
    if not dry_run:
        cursor_move(StripeList.DISPUTES, reached)
    return run


def _note_failure(run: DisputesRun, dispute_id: str, error: Exception) -> None:
    log.exception("dispute.not_settled", dispute=dispute_id)
    run.failed[dispute_id] = str(error)


def _unsettled() -> QuerySet[Dispute]:
    owed = Q(status=DisputeStatus.WON, withdrawn_at__isnull=False, reinstated_at=None)
    return Dispute.objects.filter(Q(closed_at=None) | owed)


def _is_news(found: StripeDispute) -> bool:
    """Say whether a dispute is ours, and not noted as it is."""
    known = Dispute.objects.filter(stripe_id=found.id).first()
    if known is None:
        return (_payment_of(found) or _order_of(found)) is not None
    noted = (known.status, known.withdrawn_at is not None, known.reinstated_at is not None)
    return noted != (found.status, found.is_withdrawn, found.is_reinstated)

"""Set off what an invoice has too much against what its payer got back already: of a dispute that
is lost, or by a refund made at Stripe. So nobody is paid back twice, whichever comes first.

    credit -> losses        what was a loss is what we owed; of an undeliverable order from held
"""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, Q

from billing import balances
from billing.models import Account, Dispute, Invoice, Order, Refund, RefundState, SetOff
from billing.models.disputes import GONE, IS_DECIDED
from billing.services.ledger import post


def losses_set_off(*, invoice: Invoice, now: datetime) -> None:
    """Do it, as far as the invoice has too much and the tenant has not spent it elsewhere.

    Call it in the transaction that has locked the invoice, after whatever made it have more.
    Idempotent.
    """
    if invoice.amount_due >= 0:
        return
    for loss, unowed in _losses(invoice):
        amount = min(unowed, balances.spare(invoice=invoice))
        if amount <= 0:
            return
        loss.owed_back += amount
        loss.save(update_fields=["owed_back"])
        invoice.amount_paid -= amount
        invoice.save(update_fields=["amount_paid"])
        _note(loss, amount, owed=Account.CREDIT, of=invoice, now=now)


def dispute_set_off(*, order: Order, now: datetime) -> None:
    """Do it for an order that is to be refunded, once more where a bank sent back what was refunded
    before its dispute was lost.

    Call it in the transaction that has locked the order. Idempotent. A dispute that has paid back
    another order stays with that.
    """
    disputes = Dispute.objects.filter(
        IS_DECIDED,
        Q(order=order) | Q(owed_back=0),
        payment=None,
        payment_intent_id=order.payment_intent_id,
        owed_back__lt=GONE,
    )
    for dispute in disputes.order_by("id").select_for_update(of=("self",)):
        unowed = dispute.amount - dispute.reinstated - dispute.owed_back
        amount = min(unowed, balances.held(order=order))
        if amount <= 0:
            return
        dispute.order = order
        dispute.owed_back += amount
        dispute.save(update_fields=["order", "owed_back"])
        _note(dispute, amount, owed=Account.HELD, of=order, now=now)


def _note(
    loss: Dispute | Refund, amount: int, *, owed: Account, of: Invoice | Order, now: datetime
) -> None:
    """Write that so much of a loss was owed, for an invoice or an order, and book it."""
    row = SetOff.objects.create(
        dispute=loss if isinstance(loss, Dispute) else None,
        refund=loss if isinstance(loss, Refund) else None,
        currency=of.currency,
        amount=amount,
        created_at=now,
    )
    post(
        key=f"set_off:{row.uuid}",
        entries={owed: amount, Account.LOSSES: -amount},
        currency=of.currency,
        now=now,
        tenant=of.tenant,
        invoice=of if isinstance(of, Invoice) else None,
    )


def _losses(invoice: Invoice) -> Iterator[tuple[Dispute | Refund, int]]:
    """Yield what went back of an invoice without being owed, and how much that is."""
    disputes = Dispute.objects.filter(IS_DECIDED, payment__invoice=invoice, owed_back__lt=GONE)
    for dispute in disputes.order_by("id").select_for_update(of=("self",)):
        yield dispute, dispute.amount - dispute.reinstated - dispute.owed_back
    refunds = Refund.objects.filter(
        payment__invoice=invoice, state=RefundState.SUCCEEDED, owed_back__lt=F("amount")
    )
    for refund in refunds.order_by("id").select_for_update(of=("self",)):
        yield refund, refund.amount - refund.owed_back

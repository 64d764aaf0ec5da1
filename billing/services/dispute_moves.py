"""What a dispute moves, as entries for the books.

    withdrawn   Stripe -> disputed          the bank has taken the money
    lost        disputed -> losses          of an order that could not be delivered: held
    reinstated  disputed -> Stripe          won; what is missing, where in part, is lost
                losses -> Stripe            or credit or held, where a lost one is turned

That we owed it, or come to owe it, is set off against the loss (set_offs.py).
"""

from collections.abc import Iterator
from datetime import datetime

from billing import balances
from billing.models import Account, Dispute, DisputeStatus, Invoice, OrderState
from billing.payments import StripeDispute


def movements(
    dispute: Dispute, found: StripeDispute, invoice: Invoice | None, now: datetime
) -> Iterator[tuple[str, dict[Account, int]]]:
    """Yield what is new to the books, noting it on the dispute and on what it is of."""
    amount = dispute.amount
    if found.withdrawn and dispute.withdrawn_at is None:
        dispute.withdrawn_at = now
        yield "dispute", {Account.DISPUTED: amount, Account.STRIPE: -amount}
    if found.reinstated and dispute.reinstated_at is None:
        dispute.reinstated_at, dispute.reinstated = now, found.reinstated
        gone = amount - found.reinstated
        if dispute.lost_at:
            was_in = _owe_again(dispute, invoice)
        else:
            was_in = {Account.DISPUTED: -amount, **_lose(dispute, gone, now)}
        yield "dispute_won", {Account.STRIPE: found.reinstated, **was_in}
    is_gone = dispute.withdrawn_at and not dispute.reinstated_at
    if dispute.status == DisputeStatus.LOST and is_gone and dispute.lost_at is None:
        dispute.lost_at = now
        yield "dispute_lost", {Account.DISPUTED: -amount, **_lose(dispute, amount, now)}


def _lose(dispute: Dispute, gone: int, now: datetime) -> dict[Account, int]:
    """Return where goes what is gone: of an order that is to be refunded, that is paid back.

    Where that is all of it the order is refunded; else what is missing still has to be.
    """
    order = dispute.order
    if order is None or order.state != OrderState.REFUND_DUE:
        return {Account.LOSSES: gone}
    held = balances.held(order=order)
    dispute.owed_back = back = min(gone, held)
    if back == held:
        order.state, order.refunded_at = OrderState.REFUNDED, now
        if back == order.amount:
            order.refund_id = ""  # no refund of ours paid it back
        order.decline_message = ""
        order.save(update_fields=["state", "refunded_at", "refund_id", "decline_message"])
    return {Account.HELD: back, Account.LOSSES: gone - back}


def _owe_again(dispute: Dispute, invoice: Invoice | None) -> dict[Account, int]:
    """Owe again what a lost dispute paid back, now that it is won; return from where it comes.

    Not of an order whose rest was refunded since: that is over.
    """
    order = dispute.order
    again = max(0, dispute.owed_back - (dispute.amount - dispute.reinstated))
    if order and (order.state == OrderState.REFUNDED and dispute.owed_back < order.amount):
        again = 0
    if invoice:
        invoice.amount_paid += again
        invoice.save(update_fields=["amount_paid"])
    elif order and again:
        order.state, order.refunded_at = OrderState.REFUND_DUE, None
        order.save(update_fields=["state", "refunded_at"])
    dispute.owed_back -= again
    owed = Account.CREDIT if dispute.payment else Account.HELD
    return {owed: -again, Account.LOSSES: again - dispute.reinstated}

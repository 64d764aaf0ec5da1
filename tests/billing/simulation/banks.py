"""What cardholders and banks do at Stripe, of which we hear by events, or at night."""

import stripe

from billing.models import Payment, PaymentState
from tests.billing.conftest import stripe_client
from tests.billing.simulation.world import VISA, Draw, World


def dispute(world: World, draw: Draw) -> None:
    """A cardholder wants the money back, or a part of it, or asks what it was for."""
    reason = draw.of(("fraudulent", "product_not_received", "part_not_received", "inquiry"))
    world.control("outcome", id=_charge(draw).id, outcome=reason)


def dispute_decide(world: World, draw: Draw) -> None:
    """The bank decides; an inquiry may become a dispute. Who never answers loses in time."""
    disputes = stripe_client().v1.disputes.list({"limit": 100}).auto_paging_iter()
    found = draw.of([each for each in disputes if each.status.endswith("needs_response")])
    is_inquiry = found.status.startswith("warning_")
    outcome = draw.of(("won", "lost", "escalated" if is_inquiry else "partially_won"))
    world.control("outcome", id=found.id, outcome=outcome)


def refund_at_stripe(world: World, draw: Draw) -> None:
    """Somebody pays all or a part of a charge back in Stripe's dashboard, and tells nobody here."""
    charge = _charge(draw)
    left = charge.amount - charge.amount_refunded
    amount = draw.of((left, (left + 2) // 3))
    stripe_client().v1.refunds.create({"charge": charge.id, "amount": amount})


def refund_comes_back(world: World, draw: Draw) -> None:
    """A bank sends a refund back, be it weeks later."""
    refunds = stripe_client().v1.refunds.list({"limit": 100}).auto_paging_iter()
    found = draw.of([each for each in refunds if each.status in {"pending", "succeeded"}])
    world.control("outcome", id=found.id, outcome="failed")


def confirm(world: World, draw: Draw) -> None:
    """A charge whose bank asked is confirmed after all, although its invoice may be paid."""
    waiting = Payment.objects.filter(state=PaymentState.NEEDS_ACTION)
    intent_id = draw.of(waiting.order_by("id")).payment_intent_id
    try:
        stripe_client().v1.payment_intents.confirm(intent_id, {"payment_method": VISA})
    except stripe.InvalidRequestError:
        return  # it is cancelled


def payout(world: World, draw: Draw) -> None:
    """Stripe pays out what is available; a bank may send it back."""
    currency = draw.of(("usd", "jpy"))
    balance = stripe_client().v1.balance.retrieve()
    if any(part.currency == currency and part.amount > 0 for part in balance.available):
        made = world.control("payout", currency=currency)
        if draw.below(3) == 0:
            world.control("outcome", id=made["id"], outcome="failed")


def account_fee(world: World, draw: Draw) -> None:
    world.control("fee", amount=500, currency=draw.of(("usd", "jpy")), description="Radar")


def _charge(draw: Draw) -> stripe.Charge:
    """Return a charge that is neither disputed nor paid back."""
    charges = stripe_client().v1.charges.list({"limit": 100})
    charge: stripe.Charge = draw.of(
        each for each in charges.auto_paging_iter()
        if each.paid and not each.refunded and not each.disputed
    )  # fmt: skip
    return charge


ALL = (
    dispute, dispute_decide, refund_at_stripe, refund_comes_back, confirm, payout, account_fee,
)  # fmt: skip

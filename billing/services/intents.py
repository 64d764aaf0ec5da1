"""What of ours a PaymentIntent of Stripe's has paid."""

from collections.abc import Collection

from django.db.models import QuerySet

from billing.models import Order, Payment, PaymentMethod, PaymentState


def payment_of(intent_id: str) -> Payment | None:
    """Return the payment of an invoice."""
    return _payments().filter(payment_intent_id=intent_id).select_related("invoice__tenant").first()


def orders_of(intent_id: str) -> QuerySet[Order]:
    """Return the order that was paid and has no invoice, and those of what a bank sent back of its
    refunds.
    """
    return _orders().filter(payment_intent_id=intent_id).order_by("id")


def paid_by(intent_ids: Collection[str]) -> set[str]:
    """Return which of these PaymentIntents have paid something of ours, by one query."""
    payments, orders = (
        paid.filter(payment_intent_id__in=intent_ids).order_by().values_list("payment_intent_id")
        for paid in (_payments(), _orders())
    )
    return {intent_id for (intent_id,) in payments.union(orders)}


def _payments() -> QuerySet[Payment]:
    paid = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    return paid.exclude(payment_intent_id="")


def _orders() -> QuerySet[Order]:
    return Order.objects.filter(invoice=None).exclude(payment_intent_id="")

"""What of ours a PaymentIntent of Stripe's has paid."""

from django.db.models import QuerySet

from billing.models import Order, Payment, PaymentMethod, PaymentState


def payment_of(intent_id: str) -> Payment | None:
    """Return the payment of an invoice."""
    paid = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED)
    mine = paid.filter(payment_intent_id=intent_id).exclude(payment_intent_id="")
    return mine.select_related("invoice__tenant").first()


def orders_of(intent_id: str) -> QuerySet[Order]:
    """Return the order that was paid and has no invoice, and those of what a bank sent back of its
    refunds.
    """
    mine = Order.objects.filter(payment_intent_id=intent_id, invoice=None)
    return mine.exclude(payment_intent_id="").order_by("id")

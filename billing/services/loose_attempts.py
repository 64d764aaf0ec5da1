"""Attempts under way that could pay what is not due any more: a transfer came in, the invoice was
credited, paid otherwise or written off. They are ended at Stripe: after the commit of what made
them so, and by a sweep where that was lost. No network here.
"""

from django.db.models import F, Q, QuerySet

from billing.models import Invoice, InvoiceState, Payment, PaymentMethod
from billing.models.payments import UNDER_WAY
from tenants import queue


def attempts_loose() -> QuerySet[Payment]:
    """Return the attempts of invoices that are not open, and those at Checkout over another amount
    than is due.
    """
    due = F("invoice__total") - F("invoice__amount_credited") - F("invoice__amount_paid")
    is_over = ~Q(invoice__state=InvoiceState.OPEN)
    is_another = Q(payment_method_id="") & ~Q(amount=due)
    under_way = Payment.objects.filter(method=PaymentMethod.CARD, state__in=UNDER_WAY)
    return under_way.filter(is_over | is_another).order_by("id")


def attempts_let_go(*, invoice: Invoice) -> None:
    """Queue, on commit, the end of an invoice's attempts that are loose now."""
    for pk in attempts_loose().filter(invoice=invoice).values_list("pk", flat=True):
        queue.on_commit("billing.tasks.attempt_end", pk, queue="default")

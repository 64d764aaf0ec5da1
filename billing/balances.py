"""What a tenant has with us, and how much of it can go back to a card. In minor units."""

from django.db.models import Q, Sum

from billing.models import (
    Account,
    Entry,
    Invoice,
    Payment,
    PaymentMethod,
    PaymentState,
    RefundState,
)
from billing.money import display
from tenants.models import Tenant


def credit_balances(*, tenant: Tenant) -> dict[str, int]:
    """Return the credit that a tenant can spend, by currency; none where there is nothing."""
    rows = Entry.objects.filter(account=Account.CREDIT, posting__tenant=tenant)
    sums = rows.values_list("posting__currency").annotate(total=Sum("amount"))
    return {currency: -total for currency, total in sums.order_by("posting__currency") if total}


def credit_display(*, tenant: Tenant) -> str:
    """Write a tenant's credit in all of its currencies; empty where there is none."""
    credit = credit_balances(tenant=tenant)
    return " + ".join(display(amount, currency) for currency, amount in credit.items())


def credit_balance(*, tenant: Tenant, currency: str) -> int:
    """Return the credit that a tenant can spend in a currency."""
    return credit_balances(tenant=tenant).get(currency, 0)


def refundable(*, payment: Payment, invoice: Invoice) -> int:
    """Return how much of a payment can go back to its card.

    That is at most what is left of it, what the invoice has too much and is not on its way back
    already, and what the tenant has not spent elsewhere.
    """
    if payment.method != PaymentMethod.CARD or payment.state != PaymentState.SUCCEEDED:
        return 0
    refunds = payment.refunds.exclude(state=RefundState.FAILED)
    back = refunds.aggregate(total=Sum("amount", default=0))["total"]
    on_its_way = invoice.payments.aggregate(
        total=Sum("refunds__amount", filter=Q(refunds__state=RefundState.PENDING), default=0)
    )["total"]
    credit = credit_balance(tenant=invoice.tenant, currency=invoice.currency)
    return int(max(0, min(payment.amount - back, -invoice.amount_due - on_its_way, credit)))

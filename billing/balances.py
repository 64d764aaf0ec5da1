"""What a tenant has with us, and how much of it can go back to a card. In minor units."""

from collections import Counter

from django.db.models import Q, Sum

from billing.models import (
    Account,
    Dispute,
    Entry,
    Invoice,
    Payment,
    PaymentMethod,
    PaymentState,
    RefundState,
)
from billing.models.disputes import UNDECIDED
from billing.money import display
from tenants.models import Tenant


def credit_balances(*, tenant: Tenant) -> dict[str, int]:
    """Return a tenant's credit, by currency; none where there is nothing."""
    rows = Entry.objects.filter(account=Account.CREDIT, posting__tenant=tenant)
    sums = rows.values_list("posting__currency").annotate(total=Sum("amount"))
    return {currency: -total for currency, total in sums.order_by("posting__currency") if total}


def credit_display(*, tenant: Tenant) -> str:
    """Write a tenant's credit in all of its currencies; empty where there is none."""
    credit = credit_balances(tenant=tenant)
    return " + ".join(display(amount, currency) for currency, amount in credit.items())


def credit_balance(*, tenant: Tenant, currency: str) -> int:
    """Return the credit that a tenant can spend in a currency: not what a bank may pay it back."""
    credit = credit_balances(tenant=tenant).get(currency, 0)
    return max(0, credit - _disputed(tenant, currency)) if credit else 0


def _disputed(tenant: Tenant, currency: str) -> int:
    """Return what of the credit is of payments whose disputes are not decided."""
    undecided = Dispute.objects.filter(
        payment__invoice__tenant=tenant, currency=currency, status__in=UNDECIDED
    )
    sums: Counter[Invoice] = Counter()
    for dispute in undecided.select_related("payment__invoice"):
        if dispute.payment:
            sums[dispute.payment.invoice] += dispute.amount
    return sum(min(amount, max(0, -invoice.amount_due)) for invoice, amount in sums.items())


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

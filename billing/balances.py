"""What a tenant has with us, and how much of it can go back to a card. In minor units."""

from collections import Counter

from django.db.models import Q, Sum

from billing.models import (
    Account,
    Dispute,
    Entry,
    Invoice,
    Order,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
)
from billing.models.disputes import GONE, IS_DECIDED, IS_UNSETTLED
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
    return max(0, credit - _may_be_paid_back(tenant, currency)) if credit else 0


def _may_be_paid_back(tenant: Tenant, currency: str) -> int:
    """Return what of the credit is of payments whose disputes are not settled, or of which a refund
    that was made at Stripe is under way. What a refund of ours has on its way is no credit already.
    """
    unsettled = Dispute.objects.filter(
        IS_UNSETTLED, payment__invoice__tenant=tenant, currency=currency
    )
    pending = Refund.objects.filter(
        payment__invoice__tenant=tenant,
        payment__currency=currency,
        made_at_stripe=True,
        state=RefundState.PENDING,
    )
    sums: Counter[int] = Counter()
    for rows in (unsettled, pending):
        sums.update(dict(rows.values_list("payment__invoice").annotate(Sum("amount")).order_by()))
    is_held = Q(
        payments__refunds__made_at_stripe=False, payments__refunds__state=RefundState.PENDING
    )
    held = Sum("payments__refunds__amount", filter=is_held, default=0)
    invoices = Invoice.objects.annotate(held=held).in_bulk(sums)
    return sum(
        min(sums[pk], max(0, -invoice.amount_due - invoice.held))
        for pk, invoice in invoices.items()
    )


def refundable(*, payment: Payment, invoice: Invoice) -> int:
    """Return how much of a payment can go back to its card.

    That is at most what is left of it, and what the invoice has to spare.
    """
    if payment.method != PaymentMethod.CARD or payment.state != PaymentState.SUCCEEDED:
        return 0
    refunds = payment.refunds.exclude(state=RefundState.FAILED)
    back = refunds.aggregate(total=Sum("amount", default=0))["total"]
    by_bank = payment.disputes.filter(IS_DECIDED)
    back += by_bank.aggregate(total=Sum(GONE, default=0))["total"]
    return int(max(0, min(payment.amount - back, spare(invoice=invoice))))


def spare(*, invoice: Invoice) -> int:
    """Return what an invoice has too much and is neither on its way back already nor spent
    elsewhere by its tenant; none of it below zero.
    """
    on_its_way = invoice.payments.aggregate(
        total=Sum("refunds__amount", filter=Q(refunds__state=RefundState.PENDING), default=0)
    )["total"]
    credit = credit_balance(tenant=invoice.tenant, currency=invoice.currency)
    return int(max(0, min(-invoice.amount_due - on_its_way, credit)))


def held(*, order: Order) -> int:
    """Return what of an undeliverable order is held still: what a lost dispute paid back is not."""
    by_bank = order.disputes.aggregate(total=Sum("owed_back", default=0))["total"]
    return int(order.amount - by_bank)

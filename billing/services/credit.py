"""Credit: what a tenant has with us is spent on its next invoice, before a card is charged."""

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from billing.balances import credit_balance
from billing.models import Invoice, InvoiceState, Payment, PaymentMethod, PaymentState
from billing.models.payments import UNDER_WAY
from billing.services.locks import invoice_locked
from billing.services.receipts import payment_received


@transaction.atomic
def credit_spend(*, invoice: Invoice, now: datetime) -> Payment | None:
    """Pay an open invoice from the tenant's credit, as far as that goes; None where it does not.

    While a charge is under way nothing is spent: it may pay all of it. Those before the last one
    are over, whatever we know of them.
    """
    invoice = invoice_locked(invoice.pk)
    last = invoice.payments.filter(method=PaymentMethod.CARD).order_by("-attempt").first()
    if invoice.state != InvoiceState.OPEN or (last is not None and last.state in UNDER_WAY):
        return None
    credit = credit_balance(tenant=invoice.tenant, currency=invoice.currency)
    amount = min(credit, invoice.amount_due)
    if amount <= 0:
        return None
    payment = Payment.objects.create(
        invoice=invoice,
        attempt=attempt_next(invoice),
        method=PaymentMethod.CREDIT,
        state=PaymentState.SUCCEEDED,
        currency=invoice.currency,
        amount=amount,
        created_at=now,
        settled_at=now,
    )
    payment_received(payment=payment, invoice=invoice, now=now)
    return payment


def attempt_next(invoice: Invoice) -> int:
    """Return the number of an invoice's next payment. The invoice is locked."""
    return (invoice.payments.aggregate(last=Max("attempt"))["last"] or 0) + 1

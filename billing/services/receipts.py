"""Money that comes in for an invoice, by whichever way, and what that makes of the invoice."""

from datetime import datetime

from billing.models import Invoice, InvoiceState, Payment
from billing.services.cases import case_close
from billing.services.ledger import payment_post
from billing.services.loose_attempts import attempts_let_go
from billing.services.news import invoices_tell
from billing.services.set_offs import losses_set_off


def payment_received(*, payment: Payment, invoice: Invoice, now: datetime) -> Invoice:
    """Count a payment that has just succeeded. Call it once for each, in the transaction that says
    so and holds the invoice (or its order).

    The invoice is paid once nothing is due. What comes in beyond that makes good what its payer got
    back unowed, and then is the tenant's credit.
    """
    payment_post(payment=payment, invoice=invoice, now=now)
    invoice.amount_paid += payment.amount
    invoice.save(update_fields=["amount_paid"])
    losses_set_off(invoice=invoice, now=now)
    return invoice_close(invoice=invoice, now=now)


def invoice_close(*, invoice: Invoice, now: datetime) -> Invoice:
    """Note that an invoice is paid, where nothing is due any more; one written off as well.

    What could still pay more than is due is ended.
    """
    is_unpaid = invoice.state in {InvoiceState.OPEN, InvoiceState.UNCOLLECTIBLE}
    if is_unpaid and invoice.amount_due <= 0:
        invoice.state, invoice.paid_at, invoice.note = InvoiceState.PAID, now, ""
        invoice.save(update_fields=["state", "paid_at", "note"])
        case_close(invoice=invoice, now=now)
        invoices_tell(kind="invoice.paid", invoices=[invoice], now=now)
    attempts_let_go(invoice=invoice)
    return invoice

"""Bank transfers, as an operator reads them off the bank's statement."""

from datetime import UTC, date, datetime, time

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

import tenants.services
from billing.models import Invoice, InvoiceKind, InvoiceState, Payment, PaymentMethod, PaymentState
from billing.services.credit import attempt_next
from billing.services.locks import invoice_locked
from billing.services.receipts import payment_received
from tenants.errors import Refused
from tenants.models import User


@transaction.atomic
def bank_transfer_record(
    *,
    invoice: Invoice,
    amount: int,
    reference: str,
    received_on: date,
    actor: User | None,
    now: datetime,
) -> Payment:
    """Record a transfer for an invoice, in minor units of its currency; `received_on` is a UTC day.

    It may be less than is due; what is more makes good what the payer got back unowed, and then
    becomes the tenant's credit. Raise Refused where the reference, the bank's own for the transfer,
    is recorded already, or there is nothing to pay.
    """
    invoice = invoice_locked(invoice.pk)
    reference = reference.strip()
    if invoice.kind == InvoiceKind.CREDIT_NOTE or invoice.state not in {
        InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE,
    }:  # fmt: skip
        raise Refused(_("Only an invoice that is open, paid or written off takes a transfer."))
    if amount <= 0 or not reference:
        raise Refused(_("A transfer has an amount and the bank's reference."))
    if received_on > now.date():
        raise Refused(_("The transfer cannot have come in after today."))
    try:
        with transaction.atomic():
            payment = Payment.objects.create(
                invoice=invoice,
                attempt=attempt_next(invoice),
                method=PaymentMethod.BANK,
                reference=reference,
                state=PaymentState.SUCCEEDED,
                currency=invoice.currency,
                amount=amount,
                created_at=now,
                settled_at=datetime.combine(received_on, time.min, UTC),
            )
    except IntegrityError as error:  # not looked up before: another may record it at this moment
        transfers = Payment.objects.filter(method=PaymentMethod.BANK).select_related("invoice")
        known = transfers.get(reference=reference)
        text = _("The transfer %(reference)s is recorded already, for invoice %(number)s.")
        numbered = {"reference": reference, "number": known.invoice.number}
        raise Refused(text % numbered) from error
    payment_received(payment=payment, invoice=invoice, now=now)
    tenants.services.audit_record(
        action="bank_transfer.recorded",
        tenant=invoice.tenant,
        actor=actor,
        now=now,
        target=invoice.number,
        amount=amount,
        currency=invoice.currency,
        reference=reference,
    )
    return payment

"""Issued invoices, for lists and where they are paid."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.declines import in_words
from billing.models import (
    Dispute,
    Invoice,
    InvoiceState,
    PaymentMethod,
    Refund,
    RefundState,
)
from billing.models.disputes import IS_STANDING
from billing.money import display
from tenants.models import Tenant

_REFUNDS = {
    RefundState.PENDING: gettext_lazy("It is on its way back to the card."),
    RefundState.SUCCEEDED: gettext_lazy("It went back to the card."),
}


def invoices(*, tenant: Tenant) -> QuerySet[Invoice]:
    """Return a tenant's issued invoices, newest first."""
    issued = Invoice.objects.filter(tenant=tenant, sequence__isnull=False)
    disputed = Dispute.objects.filter(IS_STANDING, payment__invoice=OuterRef("pk"))
    refunds = Refund.objects.filter(credit_note=OuterRef("pk")).order_by("-id")
    annotated = issued.select_related("corrects").annotate(
        is_disputed=Exists(disputed),
        refund_state=Subquery(refunds.values("state")[:1]),
        refund_amount=Subquery(refunds.values("amount")[:1]),
    )
    return annotated.order_by("-year", "-sequence")


def invoice_by_number(*, tenant: Tenant, number: str) -> Invoice | None:
    """Return the tenant's invoice of this number, None where there is none of it."""
    year, _dash, sequence = number.partition("-")
    if not (year.isdecimal() and sequence.isdecimal()):
        return None
    found = invoices(tenant=tenant).filter(year=int(year), sequence=int(sequence))
    return found.prefetch_related("lines").first()


def invoice_row(invoice: Any) -> dict[str, object]:
    """Return one of `invoices` for a list."""
    return {
        "number": invoice.number,
        "issued_at": invoice.issued_at,
        "total_display": display(invoice.total, invoice.currency),
        "state": invoice.state,
        "state_label": invoice.state_label,
        "note": _note(invoice),
        "is_payable": invoice.state == InvoiceState.OPEN and not invoice.is_too_small,
    }


def invoice_to_pay(invoice: Any) -> dict[str, object]:
    """Return an invoice for the page where it is paid: what is due, and why it is not paid yet."""
    last = invoice.payments.filter(method=PaymentMethod.CARD).order_by("-attempt").first()
    reason = in_words(last.failure_code, last.failure_message) if last else ""
    return {
        **invoice_row(invoice),
        "due_display": display(invoice.amount_due, invoice.currency),
        "reason": _waits_for(invoice) if invoice.is_too_small else reason,
    }


def invoices_owed(*, tenant: Tenant) -> list[dict[str, object]]:
    """Return a tenant's open invoices for a list, with what is due."""
    open_ = invoices(tenant=tenant).filter(state=InvoiceState.OPEN)
    return [
        {**invoice_row(each), "due_display": display(each.amount_due, each.currency)}
        for each in open_
    ]


def _note(invoice: Any) -> str:
    if invoice.state == InvoiceState.OPEN:
        return _waits_for(invoice)
    if invoice.is_disputed:
        return _("The payment is disputed.")
    if invoice.refund_state == RefundState.FAILED:
        return _failed(invoice)
    return str(_REFUNDS.get(invoice.refund_state, ""))


def _failed(note: Any) -> str:
    """Return what became of a refund that failed: no credit where the payer has the money."""
    back = note.refund_amount - max(0, -note.corrects.amount_due)
    if back <= 0:
        return _("It could not go back to the card, and is your credit.")
    if back == note.refund_amount:
        return _("It could not go back to the card once more: you have it back already.")
    return _(
        "You have %(amount)s of it back already. The rest could not go back to the card, and is"
        " your credit."
    ) % {"amount": display(back, note.currency)}


def _waits_for(invoice: Invoice) -> str:
    """Return why an open invoice is not paid."""
    if invoice.is_too_small:
        return _(
            "This is too small an amount to be charged to a card. It waits; credit or a bank"
            " transfer settles it."
        )
    return invoice.waits_for

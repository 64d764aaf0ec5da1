"""Credit notes: invoices below zero, numbered like all others, that take back what one said.

A line of a credit note has the position of the line that it takes from, so that what is left of
each can be told. Its tax is what the original's becomes less, by rate: tax(original) - tax(what is
left of the original's net) - tax already credited. So all the parts together come to the whole.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

import tenants.services
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState, InvoiceTax
from billing.money import display
from billing.services.creditable import fee_taken_back, lines_creditable
from billing.services.invoices import invoice_number
from billing.services.ledger import credit_note_post
from billing.services.locks import invoice_locked
from billing.services.receipts import invoice_close
from billing.services.set_offs import losses_set_off
from billing.services.subscriptions import pages_check
from billing.services.taxes import tax_rows, taxes_read
from billing.taxes import Tax, credit_tax_of
from tenants.errors import Refused
from tenants.models import User
from tenants.sentences import sentences


@transaction.atomic
def credit_note_issue(
    *,
    invoice: Invoice,
    reason: str,
    actor: User | None,
    now: datetime,
    amounts: Mapping[int, int] | None = None,
    amount: int | None = None,
) -> Invoice:
    """Issue a credit note for an invoice: for all that is left of it, where no amount is given.

    `amounts` says how much of which line is taken back, by position; `amount` how much in all, off
    the lines in their order. Both are in minor units before tax. It lowers what is owed, or what
    was lost where it is written off; what was paid already becomes the tenant's credit, unless a
    bank or Stripe has paid it back. On commit pages are looked at whose price takes back the same.
    Raise Refused for more than is left, or was taken back by a change of plan (creditable.py).
    """
    invoice = invoice_locked(invoice.pk)
    if invoice.kind == InvoiceKind.CREDIT_NOTE or invoice.state not in {
        InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE,
    }:  # fmt: skip
        raise Refused(_("Only an invoice that was issued can be credited."))
    left = lines_creditable(invoice=invoice)
    try:
        all_taken = _taken(left, amounts=amounts, amount=amount)
        taken = {line: net for line, net in all_taken.items() if net}
        taxes = _taxes(invoice, taken)
        if not taken or sum(taken.values()) <= 0:
            raise Refused(_("There is nothing to credit."))
    except Refused as refusal:
        raise _refusal(invoice, refusal) from refusal
    note = Invoice.objects.create(
        tenant=invoice.tenant,
        kind=InvoiceKind.CREDIT_NOTE,
        subscription=invoice.subscription,
        corrects=invoice,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        state=InvoiceState.PAID,
        currency=invoice.currency,
        subtotal=-sum(taken.values()),
        tax=sum(tax.tax for tax in taxes),
        total=-sum(taken.values()) + sum(tax.tax for tax in taxes),
        issuer=invoice.issuer,
        buyer=invoice.buyer,
        issued_at=now,
        paid_at=now,
        note=reason[:300],
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=note,
            position=line.position,
            group=line.group,
            description=line.description,
            unit_amount=Decimal(-net),
            amount=-net,
            tax_rate=line.tax_rate,
        )
        for line, net in taken.items()
    )
    InvoiceTax.objects.bulk_create(tax_rows(invoice=note, taxes=taxes))
    credit_note_post(note=note, invoice=invoice, now=now)
    invoice.amount_credited -= note.total
    invoice.save(update_fields=["amount_credited"])
    losses_set_off(invoice=invoice, now=now)
    invoice_close(invoice=invoice, now=now)
    pages_check(tenant=invoice.tenant)
    tenants.services.audit_record(
        action="credit_note.issued",
        tenant=invoice.tenant,
        actor=actor,
        now=now,
        target=invoice.number,
        amount=-note.total,
        currency=note.currency,
        reason=reason,
    )
    return invoice_number(invoice=note, now=now)


def _refusal(invoice: Invoice, refusal: Refused) -> Refused:
    """Return a refusal that says as well what a change of plan has given back already."""
    back = fee_taken_back(invoice=invoice)
    if not back:
        return refusal
    text = _("A change of plan has taken back %(amount)s of its fee.")
    return Refused(sentences(str(refusal), text % {"amount": display(back, invoice.currency)}))


def _taken(
    left: Mapping[InvoiceLine, int], *, amounts: Mapping[int, int] | None, amount: int | None
) -> dict[InvoiceLine, int]:
    """Return how much is taken off each line. Raise Refused where that is more than is left.

    A line below zero is taken back with everything, and otherwise left alone.
    """
    if amounts is not None:
        by_position = {line.position: line for line in left}
        if not amounts.keys() <= by_position.keys():
            raise Refused(_("The invoice has no such line."))
        taken = {by_position[position]: net for position, net in amounts.items()}
    elif amount is not None:
        taken, rest = {}, amount
        for line, net in left.items():
            taken[line] = min(max(net, 0), rest)
            rest -= taken[line]
        if rest:
            raise Refused(_("That is more than is left of the invoice."))
    else:
        return dict(left)
    is_left = all(0 <= net <= max(left[line], 0) for line, net in taken.items())
    if not is_left or sum(taken.values()) > sum(left.values()):
        raise Refused(_("That is more than is left of the invoice."))
    return taken


def _taxes(invoice: Invoice, taken: Mapping[InvoiceLine, int]) -> list[Tax]:
    """Return the tax that is taken back, below zero. Raise Refused where a rate has less net left.

    Lines say only their rate: of several taxes of one, the first is taken from first.
    """
    nets: dict[Decimal, int] = defaultdict(int)
    for line, net in taken.items():
        nets[line.tax_rate] += net
    original = taxes_read(invoice.taxes.all())
    credited = taxes_read(InvoiceTax.objects.filter(invoice__corrects=invoice))
    taxes = []
    for tax in original:
        before = [one for one in credited if one.taxation == tax.taxation]
        left = tax.net + sum(one.net for one in before)
        net = min(nets[tax.taxation.rate], left)
        nets[tax.taxation.rate] -= net
        if net:
            currency = invoice.currency
            taxes.append(credit_tax_of(original=tax, credited=before, currency=currency, net=net))
    if any(nets[tax.taxation.rate] for tax in original):
        raise Refused(_("That is more than is left of the invoice."))
    return taxes

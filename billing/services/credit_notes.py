"""Credit notes: invoices below zero, numbered like all others, that take back what one said.

A line of a credit note has the position of the line that it takes from, so that what is left of
each can be told. Its tax is what the original's becomes less, by rate: tax(original) - tax(what is
left of the original's net) - tax already credited. So all the parts together come to the whole.
"""

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

import tenants.services
from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState, InvoiceTax
from billing.money import rounded
from billing.services.invoices import invoice_number
from billing.services.ledger import credit_note_post
from billing.services.locks import invoice_locked
from billing.services.receipts import invoice_close
from tenants.errors import Refused
from tenants.models import User


def lines_left(*, invoice: Invoice) -> dict[InvoiceLine, int]:
    """Return what is left of each line of an invoice, before tax, in minor units."""
    credited = InvoiceLine.objects.filter(invoice__corrects=invoice).values_list("position")
    taken = dict(credited.annotate(Sum("amount")).order_by())
    return {line: line.amount + taken.get(line.position, 0) for line in invoice.lines.all()}


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
    the lines in their order. Both are in minor units before tax. It lowers what is owed; what was
    paid already becomes the tenant's credit. Raise Refused for more than is left.
    """
    invoice = invoice_locked(invoice.pk)
    if invoice.kind == InvoiceKind.CREDIT_NOTE or invoice.state not in {
        InvoiceState.OPEN, InvoiceState.PAID,
    }:  # fmt: skip
        raise Refused(_("Only an invoice that is open or paid can be credited."))
    left = lines_left(invoice=invoice)
    taken = {line: net for line, net in _taken(left, amounts=amounts, amount=amount).items() if net}
    taxes = _taxes(invoice, taken)
    if not taken or sum(taken.values()) <= 0:
        raise Refused(_("There is nothing to credit."))
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
    for tax in taxes:
        tax.invoice = note
    InvoiceTax.objects.bulk_create(taxes)
    credit_note_post(note=note, invoice=invoice, now=now)
    invoice.amount_credited -= note.total
    invoice.save(update_fields=["amount_credited"])
    invoice_close(invoice=invoice, now=now)
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


def _taxes(invoice: Invoice, taken: Mapping[InvoiceLine, int]) -> list[InvoiceTax]:
    """Return the tax that is taken back, below zero. Raise Refused where a rate has less net left.

    Lines say only their rate: of several taxes of one, the first is taken from first.
    """
    nets: dict[Decimal, int] = defaultdict(int)
    for line, net in taken.items():
        nets[line.tax_rate] += net
    taxes = []
    for original in invoice.taxes.all():
        credited = InvoiceTax.objects.filter(
            invoice__corrects=invoice,
            country=original.country,
            rate=original.rate,
            is_reverse_charge=original.is_reverse_charge,
        ).aggregate(net=Sum("net", default=0), tax=Sum("tax", default=0), home=Sum("home_tax"))
        net = min(nets[original.rate], original.net + credited["net"])
        nets[original.rate] -= net
        if net:
            taxes.append(_tax(original, net=net, credited=credited))
    if any(nets[tax.rate] for tax in invoice.taxes.all()):
        raise Refused(_("That is more than is left of the invoice."))
    return taxes


def _tax(original: InvoiceTax, *, net: int, credited: Mapping[str, int | None]) -> InvoiceTax:
    """Return what is taken back of one tax with so much of its net.

    In the issuer's own currency it is the same share of what the invoice said there.
    """
    net_left = original.net + (credited["net"] or 0) - net
    tax_left = rounded(net_left * original.rate / 100) if original.tax else 0
    tax = copy(original)
    tax.pk, tax._state.adding = None, True
    tax.net = -net
    tax.tax = tax_left - original.tax - (credited["tax"] or 0)
    if original.home_tax is not None:
        share = Decimal(tax_left) / original.tax if original.tax else Decimal(0)
        home_left = rounded(original.home_tax * share)
        tax.home_tax = home_left - original.home_tax - (credited["home"] or 0)
    return tax

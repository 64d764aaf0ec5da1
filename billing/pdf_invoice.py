"""What an invoice or credit note says on paper.

It says only what was frozen at issue, and what was paid and credited since. Where a Japanese issuer
with a registration number charged consumption tax it is a qualified invoice (適格請求書), or a
qualified return invoice (適格返還請求書), with what the Consumption Tax Act, Art. 57-4 (1) and (3),
asks for: issuer and registration number (登録番号), when it was supplied (取引年月日, here a
period), what was, the sums per rate with the rate (税率ごとに区分して合計した対価の額及び適用税率)
and their tax (消費税額等), and the buyer; a return invoice also when it was returned and the
original's dates. Nothing else may look like one: Art. 57-5.
"""

import re
from itertools import groupby

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState, InvoiceTax, LineGroup
from billing.money import display, display_unit
from billing.pdf_page import MUTED, Page
from billing.tax_numbers import country_name
from billing.tax_tables import issuer_day
from billing.tax_words import percent, tax_name

_EXPLAINED = {
    LineGroup.FEE: gettext_lazy("In advance; of a first month the days that are left of it."),
    LineGroup.SETUP: gettext_lazy("Once, with the first month."),
    LineGroup.PRORATION: gettext_lazy(
        "For the days that are left of the month: the new plan's fee, less that of the old one."
    ),
    LineGroup.EXTENSION: gettext_lazy("Extra requests for the quota period."),
    LineGroup.USAGE: gettext_lazy("In arrears. Each step of the price is a line of its own."),
    LineGroup.CORRECTION: gettext_lazy(
        "The count of a month that was billed already has been revised since."
    ),
}


def document(invoice: Invoice) -> Page:
    """Return an issued invoice, printed in the language that is active."""
    title = f"{_title(invoice)} {invoice.number}"
    page = Page(foot=f"{title}   {invoice.issuer.get('name', '')}")
    page.set_creation_date(invoice.issued_at)
    page.set_title(title)
    _head(page, invoice)
    page.columns(
        (_("Billed to"), _buyer(invoice)),
        (_("Issued by"), _issuer(invoice)),
    )
    _lines(page, invoice)
    _totals(page, invoice)
    _notes(page, invoice)
    return page


def _is_qualified(invoice: Invoice) -> bool:
    """Say whether it is of a taxable supply (課税資産の譲渡等) by a registered Japanese issuer."""
    if invoice.issuer.get("country") != "JP":
        return False
    is_registered = re.fullmatch(r"T\d{13}", invoice.issuer.get("tax_id", "")) is not None
    return is_registered and any(tax.country == "JP" for tax in invoice.taxes.all())


def _title(invoice: Invoice) -> str:
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return _("Qualified return invoice") if _is_qualified(invoice) else _("Credit note")
    return _("Qualified invoice") if _is_qualified(invoice) else _("Invoice")


def _day(invoice: Invoice) -> str:
    return f"{issuer_day(invoice.issued_at):%Y-%m-%d}" if invoice.issued_at else ""


def _head(page: Page, invoice: Invoice) -> None:
    page.text_line(_title(invoice), size=22, height=12)
    facts = [(_("Number"), invoice.number), (_("Date of issue"), _day(invoice))]
    original = invoice.corrects
    if original is not None:
        facts += [(_("Corrects invoice"), original.number), (_("Issued on"), _day(original))]
        facts += [(_("Reason"), invoice.note)] if invoice.note else []
    elif invoice.due_on and invoice.state == InvoiceState.OPEN:
        facts += [(_("Due by"), f"{invoice.due_on:%Y-%m-%d}")]
    facts += [
        (_("Period of supply"), f"{invoice.period_start:%Y-%m-%d} – {invoice.last_day:%Y-%m-%d}")
    ]
    if invoice.buyer.get("reference"):
        facts += [(_("Your reference"), invoice.buyer["reference"])]
    for label, value in facts:
        page.text_line(f"{label}: {value}", size=9, colour=MUTED, height=5)
    page.ln(6)


def _issuer(invoice: Invoice) -> list[str]:
    issuer = invoice.issuer
    label = _("Registration number") if issuer.get("country") == "JP" else _("VAT number")
    number = f"{label}: {issuer['tax_id']}" if issuer.get("tax_id") else ""
    return [issuer.get("name", ""), issuer.get("address", ""), _country(invoice, issuer), number]


def _buyer(invoice: Invoice) -> list[str]:
    buyer = invoice.buyer
    number = f"{_('Tax number')}: {buyer['tax_id']}" if buyer.get("tax_id") else ""
    return [
        _("%(organisation)s") % {"organisation": buyer.get("name", "")},  # 御中 in Japanese
        buyer.get("address", ""),
        _country(invoice, buyer),
        number,
        buyer.get("email", ""),
    ]


def _country(invoice: Invoice, party: dict[str, str]) -> str:
    """Return a party's country, where buyer and issuer are not in the same."""
    is_abroad = invoice.buyer.get("country") != invoice.issuer.get("country")
    return country_name(party["country"]) if is_abroad and party.get("country") else ""


def _lines(page: Page, invoice: Invoice) -> None:
    """Print the lines by group; what a group comes to, where that is not said by its only line."""
    page.head_begin(_("Description"), _("Amount before tax"))
    order = list(LineGroup)
    lines = sorted(invoice.lines.all(), key=lambda line: order.index(LineGroup(line.group)))
    rates = {line.tax_rate for line in lines}
    groups = [(key, list(found)) for key, found in groupby(lines, key=lambda line: line.group)]
    for key, found in groups:
        group = LineGroup(key)
        page.keep_together(26)  # a heading stays with its first line
        page.text_line(str(group.label).capitalize(), size=11)
        page.text_line(str(_EXPLAINED[group]), size=8, colour=MUTED, height=5)
        for line in found:
            _line(page, invoice, line, says_rate=len(rates) > 1)
        if len(groups) > 1 and len(found) > 1:
            amount = sum(line.amount for line in found)
            label = _("Subtotal: %(group)s") % {"group": group.label}
            page.row(label, display(amount, invoice.currency), size=9, colour=MUTED)
        page.rule()
    page.head_end()


def _line(page: Page, invoice: Invoice, line: InvoiceLine, *, says_rate: bool) -> None:
    details = []
    if line.quantity != 1:
        details.append(f"{line.quantity:,} × {display_unit(line.unit_amount, invoice.currency)}")
    if says_rate:
        details.append(_("tax %(rate)s %%") % {"rate": percent(line.tax_rate)})
    amount = display(line.amount, invoice.currency)
    page.row(line.description, amount, under="   ".join(details))


def _totals(page: Page, invoice: Invoice) -> None:
    """Print the sums: before tax, each rate's net and tax, in all, and what is still due."""
    currency = invoice.currency
    taxes = list(invoice.taxes.all())
    page.keep_together(36 + 13 * len(taxes))
    if taxes:
        page.row(_("Subtotal"), display(invoice.subtotal, currency))
    for tax in taxes:
        words = {"tax": _tax_name(tax), "net": display(tax.net, currency)}
        page.row(_("%(tax)s on %(net)s") % words, display(tax.tax, currency))
    page.row(_("Total"), display(invoice.total, currency), size=13, height=10)
    for tax in taxes:
        if tax.home_tax is not None and tax.home_rate is not None:
            page.row(_home(tax, currency), display(tax.home_tax, tax.home_currency), size=9)
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return
    if invoice.amount_credited:
        page.row(_("Credited"), display(-invoice.amount_credited, currency))
    page.row(_("Paid"), display(invoice.amount_paid, currency))
    page.row(_("Amount due"), display(max(invoice.amount_due, 0), currency), size=12, height=9)


def _tax_name(tax: InvoiceTax) -> str:
    return _("Reverse charge") if tax.is_reverse_charge else tax_name(tax.name, tax.rate)


def _home(tax: InvoiceTax, currency: str) -> str:
    """Say what a tax is in the issuer's own currency, and by which rate."""
    return _("%(tax)s in %(home)s, at %(rate)s for 1 %(currency)s (%(source)s, %(day)s)") % {
        "tax": _tax_name(tax),
        "home": tax.home_currency,
        "rate": f"{tax.home_rate.normalize():f}" if tax.home_rate else "",
        "currency": currency,
        "source": tax.home_rate_source,
        "day": f"{tax.home_rate_on:%Y-%m-%d}",
    }


def _notes(page: Page, invoice: Invoice) -> None:
    page.ln(4)
    if any(tax.is_reverse_charge for tax in invoice.taxes.all()):
        page.text_line(
            _(
                "Reverse charge: the customer is liable for the VAT (Directive 2006/112/EC, "
                "Art. 44 and 196)."
            ),
            size=9,
        )
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return
    if invoice.state == InvoiceState.PAID and invoice.paid_at:
        text = _("Paid on %(day)s.") % {"day": f"{issuer_day(invoice.paid_at):%Y-%m-%d}"}
    elif invoice.issuer.get("bank"):
        text = _("Charged to the saved card, or to be transferred to:")
        text += "\n" + invoice.issuer["bank"].replace("\\n", "\n")
    else:
        text = _("To be charged to the saved card.")
    page.text_line(text, size=9, colour=MUTED, height=5)

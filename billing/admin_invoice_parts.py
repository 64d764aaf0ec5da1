"""What the admin shows below an invoice: its lines, its taxes, what was paid."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from billing.admin_disputes import disputes_of
from billing.admin_money import money
from billing.models import InvoiceLine, InvoiceTax, Payment
from billing.money import display, display_unit
from tenants.admin_tools import ReadOnly


class InvoiceLineInline(ReadOnly, TabularInline):
    model = InvoiceLine
    extra = 0
    readonly_fields = [
        "position", "group", "description", "quantity", "unit",
        money("amount", _("amount"), currency="invoice.currency"), "tax_rate",
    ]  # fmt: skip
    fields = readonly_fields

    @admin.display(description=_("unit price"))
    def unit(self, line: InvoiceLine) -> str:
        return display_unit(line.unit_amount, line.invoice.currency)


class InvoiceTaxInline(ReadOnly, TabularInline):
    model = InvoiceTax
    extra = 0
    readonly_fields = [
        "country", "name", "rate", "is_reverse_charge",
        money("net", _("net"), currency="invoice.currency"),
        money("tax", _("amount of tax"), currency="invoice.currency"),
        "at_home",
    ]  # fmt: skip
    fields = readonly_fields

    @admin.display(description=_("tax in home currency"))
    def at_home(self, tax: InvoiceTax) -> str:
        """Say it with its rate, and of which day and whose the rate is."""
        if tax.home_tax is None:
            return "–"
        amount = display(tax.home_tax, tax.home_currency)
        return f"{amount} ({tax.home_rate}, {tax.home_rate_on}, {tax.home_rate_source})"


class PaymentInline(ReadOnly, TabularInline):
    model = Payment
    extra = 0
    readonly_fields = [
        "created_at", "attempt", "method", "reference", money("amount", _("amount")), "state",
        "failure_message", disputes_of,
    ]  # fmt: skip
    fields = readonly_fields
    show_change_link = True

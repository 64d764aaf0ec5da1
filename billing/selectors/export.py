"""This app's part of what a tenant takes along: what it bought, was billed and paid."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext_lazy as _

from billing.export import export
from billing.models import Invoice, Order, Payment, Subscription, TaxDetails
from billing.money import major
from billing.pdf import invoice_pdf
from billing.selectors.issued import invoices
from tenants.export import Folder, Part, document, table
from tenants.models import Tenant

_AT_ONCE = 200  # rows that are read together


def export_parts(*, tenant: Tenant) -> Iterator[Part | Folder]:
    """Yield what this app knows of a tenant. Amounts are in the currency's own unit."""
    yield Part(
        "billing/details.json",
        _("What invoices say of your organisation."),
        lambda: _details(tenant),
    )
    yield Part("billing/subscriptions.csv", _("Your plans and prices."), lambda: _plans(tenant))
    yield Part("billing/orders.csv", _("What you ordered."), lambda: _orders(tenant))
    issued = Invoice.objects.filter(tenant=tenant)
    yield Part(
        "billing/invoices.csv",
        _("Invoices and credit notes, line by line."),
        lambda: (line.encode() for line in export(issued, format_="csv")),
    )
    yield Folder(
        "billing/invoices/", _("The invoices and credit notes as PDFs."), lambda: _pdfs(tenant)
    )
    yield Part("billing/payments.csv", _("Payments of invoices."), lambda: _payments(tenant))


def _details(tenant: Tenant) -> Iterator[bytes]:
    said = TaxDetails.objects.filter(tenant=tenant)
    names = ("legal_name", "address", "country", "tax_id", "email", "reference")
    return document(said.values(*names).first() or {})


def _plans(tenant: Tenant) -> Iterator[bytes]:
    held = Subscription.objects.filter(tenant=tenant).select_related("plan", "price")
    return table(
        ("plan", "state", "from", "until", "trial_until", "monthly_fee", "currency"),
        (
            (
                each.plan.code, each.state, each.starts_on, each.ends_on, each.trial_ends_on,
                major(each.price.monthly_fee, each.price.currency), each.price.currency,
            )
            for each in held.order_by("created_at", "id")
        ),
    )  # fmt: skip


def _orders(tenant: Tenant) -> Iterator[bytes]:
    made = Order.objects.filter(tenant=tenant).select_related("created_by").order_by("id")
    return table(
        ("id", "what", "state", "amount", "tax", "currency", "ordered_by", "ordered_at", "paid_at"),
        (
            (
                str(each.uuid), each.description, each.state, major(each.amount, each.currency),
                major(each.tax, each.currency), each.currency,
                each.created_by.email if each.created_by else None, each.created_at,
                each.fulfilled_at,
            )
            for each in made.iterator(_AT_ONCE)
        ),
    )  # fmt: skip


def _payments(tenant: Tenant) -> Iterator[bytes]:
    made = Payment.objects.filter(invoice__tenant=tenant).select_related("invoice").order_by("id")
    return table(
        ("invoice", "method", "state", "amount", "currency", "begun_at", "settled_at"),
        (
            (
                each.invoice.number, each.method, each.state, major(each.amount, each.currency),
                each.currency, each.created_at, each.settled_at,
            )
            for each in made.iterator(_AT_ONCE)
        ),
    )  # fmt: skip


def _pdfs(tenant: Tenant) -> Iterator[Part]:
    for invoice in invoices(tenant=tenant).order_by("year", "sequence").iterator(_AT_ONCE):
        yield Part(f"{invoice.number}.pdf", "", partial(_pdf, invoice))


def _pdf(invoice: Invoice) -> Iterator[bytes]:
    yield invoice_pdf(invoice)

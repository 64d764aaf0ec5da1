"""What the tests of money share: an open invoice, and what the books say."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from billing.lines import Line
from billing.models import Currency, Customer, DunningCase, Entry, Invoice, InvoiceKind, Payment
from billing.services import case_give_up, invoice_collect
from billing.services.invoices import invoice_issue
from tenants.models import Tenant

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
DECEMBER = (date(2026, 12, 1), date(2027, 1, 1))


def issued(
    tenant: Tenant, *amounts: int, currency: str = Currency.USD, now: datetime = NOW
) -> Invoice:
    """Issue an invoice with a line of each amount."""
    lines = [Line(f"Line {at}", 1, Decimal(net), net) for at, net in enumerate(amounts, start=1)]
    with transaction.atomic():
        return invoice_issue(
            tenant=tenant,
            kind=InvoiceKind.SUPPLEMENT,
            currency=currency,
            period=DECEMBER,
            lines=lines,
            now=now,
        )


def collected(tenant: Tenant, amount: int) -> Payment:
    """Issue an invoice of an amount, and collect it from the saved card; return the payment."""
    invoice = issued(tenant, amount)
    invoice_collect(invoice=invoice, now=NOW)
    return invoice.payments.get()


def write_off(invoice: Invoice, *, now: datetime = NOW) -> None:
    """Give an invoice up, as an operator does with its case."""
    case, _is_new = DunningCase.objects.get_or_create(invoice=invoice, defaults={"opened_at": now})
    member = invoice.tenant.members.select_related("user").earliest("id")
    case_give_up(case=case, actor=member.user, now=now)


def booked(key: str) -> dict[str, int]:
    """Return the entries of a posting by account."""
    entries = Entry.objects.filter(posting__key=key)
    return dict(entries.values_list("account", "amount"))


def balances() -> dict[str, int]:
    """Return what is on each account that is not even."""
    rows = Entry.objects.values_list("account").annotate(total=Sum("amount"))
    return {account: total for account, total in rows.order_by("account") if total}


def card(tenant: Tenant, name: str = "pm_card_visa") -> None:
    """Save a card, as Checkout does."""
    Customer.objects.filter(tenant=tenant).update(payment_method_id=name)

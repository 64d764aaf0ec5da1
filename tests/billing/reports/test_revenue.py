"""Revenue by plan and ageing, worked by hand, and held against the books."""

from datetime import date, timedelta

from django.conf import LazySettings
from django.db.models import Sum
from pytest_django import DjangoAssertNumQueries

from billing.models import Account, Entry, Invoice, InvoiceKind, LineGroup, Plan, TaxDetails
from billing.reports.ageing import Aged, ageing, ageing_by_tenant
from billing.reports.months import Months
from billing.reports.revenue import revenue_by_plan, usage_charges
from billing.services.credit_notes import credit_note_issue
from tests.billing.books import write_off
from tests.billing.reports.conftest import Holds, at, bill

JANUARY, FEBRUARY, MARCH = (date(2026, month, 1) for month in (1, 2, 3))
MONTHS = Months(JANUARY, MARCH)


def booked(account: Account) -> dict[str, int]:
    rows = Entry.objects.filter(account=account).order_by().values_list("posting__currency")
    return dict(rows.annotate(Sum("amount")))


def test_revenue_is_net_of_tax_and_credit_notes_by_plan_currency_and_month(
    holds: Holds,
    settings: LazySettings,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T1234567890123"
    settings.ISSUER_TIME_ZONE = "Asia/Tokyo"  # months are UTC all the same
    ann = holds("Ann", ("free", JANUARY), ("starter", FEBRUARY))
    ben = holds("Ben", ("payg", JANUARY), currency="JPY")
    for tenant, country in ((ann, "US"), (ben, "JP")):
        TaxDetails.objects.create(
            tenant=tenant, legal_name="X", address="Y", country=country, saved_at=at(1, 1)
        )
    # A pack on the free plan, given back after its buyer had moved on.
    pack = bill(ann, 5_00, at(1, 31, 23), kind=InvoiceKind.ORDER, group=LineGroup.EXTENSION)
    credit_note_issue(invoice=pack, amount=5_00, reason="", actor=None, now=at(2, 2))
    bill(ann, 29_00, at(2, 1), paid=29_00)
    half = bill(ann, 29_00, at(3, 1), paid=29_00)
    credit_note_issue(invoice=half, amount=9_00, reason="", actor=None, now=at(3, 9))
    usage = bill(ben, 1_000, at(3, 3), kind=InvoiceKind.USAGE, group=LineGroup.USAGE,
                 currency="JPY", paid=600)  # fmt: skip
    assert (usage.subtotal, usage.tax) == (1_000, 100)

    with django_assert_num_queries(1):
        rows = revenue_by_plan(months=MONTHS)

    plans = dict(Plan.objects.values_list("id", "code"))
    assert [
        (it.currency, plans[it.plan_id or 0], it.month.month, it.invoiced, it.credited,
         it.with_tax, it.collected)
        for it in rows
    ] == [
        ("JPY", "payg", 3, 1_000, 0, 1_100, 600),
        ("USD", "free", 1, 5_00, 0, 0, 0),
        ("USD", "free", 2, 0, -5_00, 0, 0),
        ("USD", "starter", 2, 29_00, 0, 29_00, 29_00),
        ("USD", "starter", 3, 29_00, -9_00, 20_00, 20_00),
    ]  # fmt: skip
    assert usage_charges(months=MONTHS) == {("JPY", MARCH): 1_000}
    revenue = {it.currency: 0 for it in rows}
    for it in rows:
        revenue[it.currency] -= it.revenue
    assert revenue == booked(Account.REVENUE)


def test_receivables_age_by_the_day(
    holds: Holds, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ann, ben = holds("Ann", ("starter", JANUARY)), holds("Ben", ("starter", JANUARY))
    today = date(2026, 6, 1)
    for tenant, overdue, net in (
        (ann, 0, 1_00), (ann, 1, 2_00), (ann, 30, 4_00), (ann, 31, 8_00), (ann, 60, 16_00),
        (ben, 61, 32_00), (ben, 90, 64_00), (ben, 91, 128_00), (ben, -5, 256_00),
    ):  # fmt: skip
        invoice = bill(tenant, net, at(1, 1, overdue % 24), kind=InvoiceKind.SUPPLEMENT)
        Invoice.objects.filter(pk=invoice.pk).update(due_on=today - timedelta(days=overdue))
    bill(ann, 9_000, at(5, 31), kind=InvoiceKind.SUPPLEMENT, currency="JPY", paid=4_000)
    write_off(bill(ann, 7_00, at(1, 1), kind=InvoiceKind.SUPPLEMENT), now=at(1, 2))
    bill(ben, 7_00, at(1, 1), kind=InvoiceKind.SUPPLEMENT, paid=7_00)

    with django_assert_num_queries(3):
        rows, tenants = ageing(now=at(6, 1)), ageing_by_tenant(now=at(6, 1))

    assert rows == [
        Aged("JPY", 5_000, 0, 0, 0, 0),
        Aged("USD", 257_00, 6_00, 24_00, 96_00, 128_00),
    ]
    assert {row.currency: row.total for row in rows} == booked(Account.RECEIVABLE)
    assert tenants == [
        Aged("USD", 256_00, 0, 0, 96_00, 128_00, ben.pk, "Ben"),
        Aged("USD", 1_00, 6_00, 24_00, 0, 0, ann.pk, "Ann"),
        Aged("JPY", 5_000, 0, 0, 0, 0, ann.pk, "Ann"),
    ]
    assert len(ageing_by_tenant(now=at(6, 1), most=1)) == 2

"""Tax on the way from the price that is shown to the invoice that is frozen."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from billing import services
from billing.lines import Line
from billing.models import (
    ExchangeRate,
    Invoice,
    InvoiceKind,
    InvoiceTax,
    Order,
    TaxDetails,
    TaxRate,
)
from billing.services.orders import order_renew
from billing.services.taxes import tax_rates_seed
from billing.tax_countries import EU
from billing.tax_tables import tables_load
from tenants.errors import Refused
from tenants.models import Tenant
from tests.billing.conftest import SignUpCall, buy, close_and_collect, start, subscribe

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)


@pytest.fixture
def japan(settings: Any) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T1234567890123"
    settings.ISSUER_TIME_ZONE = "Asia/Tokyo"


def exchange_rate(day: date, rate: str) -> None:
    ExchangeRate.objects.create(
        currency="USD", home_currency="JPY", day=day, rate=Decimal(rate), source="MUFG TTM"
    )


def is_in(tenant: Tenant, country: str) -> None:
    TaxDetails.objects.update_or_create(
        tenant=tenant,
        defaults={"legal_name": "Alice Ltd", "country": country, "saved_at": timezone.now()},
    )


def extension(tenant: Tenant) -> Order:
    return services.extension_order(
        tenant=tenant, pack_code="extra-1k", token="t", actor=None, now=timezone.now()
    )


def test_the_seed_has_all_of_the_eu_and_leaves_what_is_there(shop: None) -> None:
    countries = set(TaxRate.objects.values_list("country", flat=True))
    assert countries == {*EU, "JP", "GB"}
    TaxRate.objects.filter(country="DE").update(rate=20)
    count = TaxRate.objects.count()
    tax_rates_seed()
    assert TaxRate.objects.get(country="DE").rate == 20
    assert TaxRate.objects.count() == count


def test_the_seed_knows_when_rates_changed(shop: None) -> None:
    """By the Taxes in Europe Database: each change with the last day of the rate before it."""
    tables = tables_load(now=timezone.now())
    for country, first_day, before, after in (
        ("EE", date(2024, 1, 1), "20", "22"),
        ("EE", date(2025, 7, 1), "22", "24"),
        ("FI", date(2024, 9, 1), "24", "25.5"),
        ("LU", date(2023, 1, 1), "17", "16"),
        ("LU", date(2024, 1, 1), "16", "17"),
        ("RO", date(2025, 8, 1), "19", "21"),
        ("SK", date(2025, 1, 1), "20", "23"),
    ):
        last_day = first_day - timedelta(days=1)
        rates = [tables.standard(country, day).rate for day in (last_day, first_day)]
        assert rates == [Decimal(before), Decimal(after)], (country, first_day)


def test_without_a_registered_issuer_there_is_no_tax(sign_up: SignUpCall) -> None:
    tenant = subscribe(sign_up)
    is_in(tenant, "JP")
    (invoice,) = close_and_collect(FIRST).written
    assert (invoice.subtotal, invoice.tax, invoice.total) == (29_00, 0, 29_00)
    assert not InvoiceTax.objects.exists()
    assert invoice.due_on == date(2026, 12, 15)


def test_a_fee_in_yen_is_a_qualified_invoice(japan: None, sign_up: SignUpCall) -> None:
    tenant = subscribe(sign_up, currency="JPY")
    first_month = Invoice.objects.get()
    assert (first_month.subtotal, first_month.tax, first_month.total) == (1_050, 105, 1_155)
    (invoice,) = close_and_collect(FIRST).written
    assert (invoice.subtotal, invoice.tax, invoice.total) == (4_500, 450, 4_950)
    row = invoice.taxes.get()
    assert (row.country, row.rate, row.net, row.tax) == ("JP", Decimal(10), 4_500, 450)
    assert (row.home_currency, row.home_tax) == ("", None)
    assert invoice.lines.get().tax_rate == 10
    assert invoice.issuer["tax_id"] == "T1234567890123"
    assert invoice.buyer["name"] == tenant.name


def test_dollars_are_stated_in_yen_by_the_newest_rate_of_the_day_or_before(
    japan: None, sign_up: SignUpCall
) -> None:
    exchange_rate(date(2026, 11, 1), "150")
    exchange_rate(date(2026, 12, 1), "151.23")
    exchange_rate(date(2026, 12, 2), "170")
    subscribe(sign_up)
    (invoice,) = close_and_collect(FIRST).written
    row = invoice.taxes.get()
    assert (row.tax, row.home_tax, row.home_currency) == (2_90, 439, "JPY")
    assert (row.home_rate, row.home_rate_on) == (Decimal("151.23"), date(2026, 12, 1))
    assert row.home_rate_source == "MUFG TTM"


def test_a_missing_rate_stops_its_invoice_and_no_other(japan: None, sign_up: SignUpCall) -> None:
    dollars, yen = subscribe(sign_up, "payg"), subscribe(sign_up, currency="JPY")
    order = Order.objects.create(
        tenant=sign_up("free", now=FIRST).tenant, purpose="extension", token="x",
        currency="USD", amount=1_10, tax=10,
        taxation={"country": "JP", "name": "", "rate": "10", "is_reverse_charge": False},
        description="x", period_start=date(2026, 11, 1), period_end=date(2026, 12, 1),
        created_at=FIRST,
    )  # fmt: skip
    with pytest.raises(Refused, match="from USD to JPY"):
        services.checkout_start(order=order, success_url="/", cancel_url="/",
                                now=datetime(2026, 11, 25, tzinfo=UTC))  # fmt: skip
    paying = dollars.subscriptions.get(state="active")
    paying.price = paying.plan.prices.create(
        currency="USD", number=9, monthly_fee=1_00, created_at=FIRST
    )
    paying.save()
    run = close_and_collect(FIRST)
    assert [invoice.tenant for invoice in run.written] == [yen]
    (reason,) = run.failed.values()
    assert "no exchange rate from USD to JPY of 2026-12-01 or before" in reason
    exchange_rate(date(2026, 12, 1), "151.23")
    assert [i.tenant for i in close_and_collect(FIRST).written] == [dollars]


def test_usage_is_taxed_by_the_rate_of_its_month(japan: None, sign_up: SignUpCall) -> None:
    tenant = subscribe(sign_up, currency="JPY")
    TaxRate.objects.create(
        country="JP", name="Consumption tax", rate=12, valid_from=date(2026, 12, 1)
    )
    with transaction.atomic():
        fee, usage = (
            services.invoices.invoice_issue(
                tenant=tenant, kind=kind, currency="JPY", period=period, now=FIRST,
                lines=[Line("x", 1, Decimal(100), 100)],
            )
            for kind, period in (
                (InvoiceKind.FEE, (date(2026, 12, 1), date(2027, 1, 1))),
                (InvoiceKind.USAGE, (date(2026, 11, 1), date(2026, 12, 1))),
            )
        )  # fmt: skip
    assert (fee.tax, usage.tax) == (12, 10)


class TestOrder:
    def test_checkout_asks_for_the_price_with_tax_and_the_invoice_says_the_same(
        self, japan: None, sign_up: SignUpCall
    ) -> None:
        tenant = subscribe(sign_up, currency="JPY")
        order = extension(tenant)
        assert (order.amount, order.tax) == (825, 75)
        buy(order)
        TaxRate.objects.update(rate=12)  # between payment and fulfilment
        services.order_check(order=order, now=timezone.now())
        order.refresh_from_db()
        assert order.state == "fulfilled"
        invoice = Invoice.objects.get(order=order)
        assert (invoice.subtotal, invoice.tax, invoice.total) == (750, 75, 825)
        assert invoice.payments.get().amount == 825
        assert invoice.lines.get().amount == 750

    def test_whose_tax_changed_gets_another_session(self, japan: None, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, currency="JPY")
        order = extension(tenant)
        start(order)
        is_in(tenant, "US")
        start(order)
        order.refresh_from_db()
        assert (order.amount, order.tax, order.attempt) == (750, 0, 2)

    def test_a_card_is_saved_without_tax(self, japan: None, sign_up: SignUpCall) -> None:
        tenant = subscribe(sign_up, currency="JPY")
        order = services.card_order(tenant=tenant, token="c", actor=None, now=timezone.now())
        assert order_renew(order=order, now=timezone.now()).amount == 0

    def test_none_is_taken_whose_tax_cannot_be_stated(
        self, japan: None, sign_up: SignUpCall
    ) -> None:
        signed_up = sign_up("starter", now=FIRST)
        assert signed_up.order is not None
        assert signed_up.order.tax > 0
        with pytest.raises(Refused, match="from USD to JPY"):
            start(signed_up.order, now=FIRST)
        with pytest.raises(Refused, match="from USD to JPY"):
            extension(signed_up.tenant)
        assert Order.objects.count() == 1
        exchange_rate(FIRST.date(), "151.23")
        assert start(signed_up.order, now=FIRST + timedelta(hours=1))

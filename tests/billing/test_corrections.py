"""What the gateway tells otherwise after a month was closed: never a silent change."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import services
from billing.models import (
    BilledUsage,
    ExchangeRate,
    Invoice,
    InvoiceKind,
    Subscription,
    TaxDetails,
)
from billing.services import months_correct
from billing.services.credit_notes import credit_note_issue
from tenants.models import GatewayPlan, Member, Tenant, TenantState
from tests.billing.months import (
    SIX_HOURS,
    at,
    books,
    close_settled,
    day,
    held,
    tenant_new,
    used,
)

LATER = at("12-05")


@pytest.fixture
def payg(db: None) -> Tenant:
    """Alice Corp, who was billed 2 dollars for the 2,000 requests of November."""
    services.seed(now=timezone.now())
    tenant = tenant_new()
    held(tenant, "payg", "11-01")
    used(tenant, "payg", {"11-30": 2_000})
    close_settled(at("12-02", hour=12))
    return tenant


def told(tenant: Tenant, requests: int, *, now: datetime = LATER) -> int:
    """Let the gateway's figure of November be another, and settle; return what was noted."""
    used(tenant, "payg", {"11-30": requests})
    noted = 0
    for when in (now, now + SIX_HOURS):
        GatewayPlan.objects.update(read_at=when)
        noted += months_correct(now=when)
    return noted


def lines(invoice: Invoice) -> list[tuple[str, str, int]]:
    return list(invoice.lines.values_list("group", "description", "amount"))


def revisions() -> list[tuple[int, int, int]]:
    found = BilledUsage.objects.filter(period_start=day("11-01")).order_by("revision")
    return list(found.values_list("revision", "quantity", "amount"))


@pytest.mark.parametrize(("requests", "difference"), [(2_500, 1_00), (1_750, -50), (900, -2_00)])
def test_the_next_usage_invoice_has_a_line_for_it(
    payg: Tenant, requests: int, difference: int
) -> None:
    assert told(payg, requests) == 1
    assert revisions() == [(0, 2_000, 2_00), (1, requests, 2_00 + difference)]
    assert Invoice.objects.get().total == 2_00  # what was issued stays
    used(payg, "payg", {"12-15": 3_000})
    close_settled(at("2027-01-02", hour=12))
    december = Invoice.objects.get(period_start=day("12-01"))
    text = f"Correction of 2026-11: {requests:,} requests, billed as 2,000"
    assert lines(december)[2:] == [("correction", text, difference)]
    assert december.total == 4_00 + difference
    assert BilledUsage.objects.get(revision=1).invoice == december
    assert books() == {"receivable": 6_00 + difference, "revenue": -6_00 - difference}


def test_what_no_invoice_can_bear_yet_waits_for_the_next(payg: Tenant) -> None:
    told(payg, 0)
    used(payg, "payg", {"12-15": 2_000, "2027-01-15": 4_000})
    close_settled(at("2027-01-02", hour=12))
    assert Invoice.objects.get(period_start=day("12-01")).total == 2_00  # less 2 is an empty one
    close_settled(at("2027-02-02", hour=12))
    assert Invoice.objects.get(period_start=day("2027-01-01")).total == 6_00 - 2_00


def test_a_dearer_month_alone_makes_an_invoice(payg: Tenant) -> None:
    told(payg, 3_000)
    close_settled(at("2027-01-02", hour=12))
    december = Invoice.objects.get(period_start=day("12-01"))
    assert [amount for _, _, amount in lines(december)] == [2_00]


def test_a_figure_is_corrected_once_it_has_settled_and_once(payg: Tenant) -> None:
    used(payg, "payg", {"11-30": 2_500})
    GatewayPlan.objects.update(read_at=LATER)
    assert [months_correct(now=LATER) for _ in range(2)] == [0, 0]
    assert told(payg, 2_500, now=LATER + timedelta(hours=1)) == 1
    assert told(payg, 2_500, now=LATER + timedelta(days=1)) == 0
    assert told(payg, 2_600, now=LATER + timedelta(days=2)) == 1
    assert [quantity for _, quantity, _ in revisions()] == [2_000, 2_500, 2_600]


def test_what_is_free_either_way_is_no_line(payg: Tenant) -> None:
    told(payg, 500)
    told(payg, 700, now=LATER + timedelta(days=1))
    assert [amount for _, _, amount in revisions()] == [2_00, 0, 0]
    used(payg, "payg", {"12-15": 5_000})
    close_settled(at("2027-01-02", hour=12))
    december = Invoice.objects.get(period_start=day("12-01"))
    assert [amount for group, _, amount in lines(december) if group == "correction"] == [-2_00]


class TestWhoLeft:
    @pytest.fixture
    def left(self, payg: Tenant) -> Tenant:
        Subscription.objects.update(state="cancelled", ends_on=day("12-01"))
        return payg

    def test_a_dearer_month_is_a_supplement(self, left: Tenant) -> None:
        told(left, 3_000)
        supplement = Invoice.objects.get(kind=InvoiceKind.SUPPLEMENT)
        assert (supplement.total, supplement.period_start) == (2_00, day("11-01"))
        assert supplement.number == "2026-000002"

    def test_a_cheaper_month_is_a_credit_note(self, left: Tenant) -> None:
        told(left, 1_750)
        note = Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE)
        assert (note.total, note.corrects) == (-50, Invoice.objects.get(kind="usage"))
        assert BilledUsage.objects.get(revision=1).invoice == note
        assert books() == {"receivable": 1_50, "revenue": -1_50}

    def test_one_that_was_noted_while_the_tenant_stayed_is_not_lost(self, payg: Tenant) -> None:
        told(payg, 1_750)
        assert notes() == []
        Subscription.objects.update(state="cancelled", ends_on=day("12-08"))
        for _again in range(2):
            months_correct(now=at("12-09"))
        assert notes() == [("2026-000001", -50)]

    def test_a_dearer_and_a_cheaper_one_that_waited_are_billed_as_the_last(
        self, payg: Tenant
    ) -> None:
        told(payg, 10_000)
        told(payg, 1_500, now=at("12-06"))
        Subscription.objects.update(state="cancelled", ends_on=day("12-08"))
        months_correct(now=at("12-09"))
        assert notes() == [("2026-000002", -16_00), ("2026-000001", -1_00)]
        assert books() == {"receivable": 1_00, "revenue": -1_00}

    def test_a_second_one_comes_off_what_is_left(self, left: Tenant) -> None:
        told(left, 1_750)
        told(left, 1_500, now=at("12-06"))
        assert notes() == [("2026-000001", -50), ("2026-000001", -50)]
        assert books() == {"receivable": 1_00, "revenue": -1_00}

    def test_more_than_the_last_supplement_comes_off_the_invoice_too(self, left: Tenant) -> None:
        told(left, 3_000)
        told(left, 1_250, now=at("12-06"))
        assert notes() == [("2026-000002", -2_00), ("2026-000001", -1_50)]
        assert books() == {"receivable": 50, "revenue": -50}
        assert not BilledUsage.objects.filter(revision__gt=0, invoice=None).exists()

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks no rows")
    def test_the_counter_is_what_is_locked_last(self, left: Tenant) -> None:
        told(left, 3_000)
        used(left, "payg", {"11-30": 1_250})
        months_correct(now=at("12-07"))
        GatewayPlan.objects.update(read_at=at("12-08"))
        with CaptureQueriesContext(connection) as captured:
            months_correct(now=at("12-08"))
        assert len(notes()) == 2
        locks = [query["sql"] for query in captured if "FOR UPDATE" in query["sql"]]
        tables = list(dict.fromkeys(sql.split(" FROM ")[1].split()[0] for sql in locks))
        assert tables[-1] == '"billing_invoicecounter"'
        assert {'"tenants_tenant"', '"billing_invoice"'} < set(tables)

    def test_what_an_operator_has_given_back_is_not_given_twice(self, left: Tenant) -> None:
        november = Invoice.objects.get()
        used(left, "payg", {"12-01": 1_500})
        close_settled(at("2027-01-02", hour=12))
        assert Invoice.objects.count() == 2
        note = credit_note_issue(invoice=november, reason="a complaint", actor=None, now=LATER)
        told(left, 1_750, now=at("2027-01-05"))
        assert notes() == [("2026-000001", -2_00)]
        assert BilledUsage.objects.get(revision=1).invoice == note


def notes() -> list[tuple[str, int]]:
    """Return which invoices were credited how much, in order."""
    found = Invoice.objects.filter(kind=InvoiceKind.CREDIT_NOTE).order_by("sequence")
    return [(str(note.corrects), note.total) for note in found.select_related("corrects")]


def test_what_the_next_close_cannot_bear_is_given_back(payg: Tenant) -> None:
    told(payg, 0)
    close_settled(at("2027-01-02", hour=12))
    months_correct(now=at("2027-01-31"))
    assert notes() == []
    months_correct(now=at("2027-02-01"))
    assert notes() == [("2026-000001", -2_00)]


def test_an_invoice_that_a_correction_made_smaller_gives_no_more_than_it_has(payg: Tenant) -> None:
    told(payg, 1_050)
    used(payg, "payg", {"12-15": 2_000})
    close_settled(at("2027-01-02", hour=12))
    december = Invoice.objects.get(period_start=day("12-01"))
    assert december.total == 10
    credit_note_issue(invoice=december, reason="a", actor=None, now=at("2027-01-03"), amount=4)
    used(payg, "payg", {"2027-01-15": 4_000})
    close_settled(at("2027-02-02", hour=12))
    Subscription.objects.update(state="cancelled", ends_on=day("2027-02-03"))
    used(payg, "payg", {"12-15": 0})
    for when in (at("2027-02-05"), at("2027-02-06")):
        GatewayPlan.objects.update(read_at=when)
        months_correct(now=when)
    assert notes() == [("2027-000001", -4), ("2027-000001", -6), ("2026-000001", -1_90)]
    assert books() == {"receivable": 6_10, "revenue": -6_10}


@pytest.fixture
def france(db: None, settings: Any) -> Tenant:
    """Alice Corp of Berlin, billed 2 dollars and Germany's 19 % for November."""
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "FR", "FR40303265045"
    services.seed(now=timezone.now())
    ExchangeRate.objects.create(
        currency="USD", home_currency="EUR", day=day("11-01"), rate=Decimal("0.9"), source="ECB"
    )
    tenant = tenant_new()
    TaxDetails.objects.create(
        tenant=tenant, legal_name="Alice Corp", country="DE", saved_at=at("10-01")
    )
    held(tenant, "payg", "11-01")
    used(tenant, "payg", {"11-30": 2_000})
    close_settled(at("12-02", hour=12))
    assert Invoice.objects.get().tax == 38
    return tenant


class TestTax:
    def test_is_as_it_was_in_that_month_though_the_buyer_has_moved(self, france: Tenant) -> None:
        TaxDetails.objects.update(country="HU")
        used(france, "payg", {"12-15": 6_000})
        told(france, 1_500)
        close_settled(at("2027-01-02", hour=12))
        december = Invoice.objects.get(period_start=day("12-01"))
        taxes = december.taxes.values_list("country", "rate", "net", "tax")
        assert list(taxes) == [
            ("HU", Decimal(27), 10_00, 2_70),
            ("DE", Decimal(19), -1_00, -19),
        ]

    def test_of_a_tenant_that_has_gone_the_buyer_is_who_its_last_invoice_names(
        self, france: Tenant
    ) -> None:
        Subscription.objects.update(state="cancelled", ends_on=day("12-01"))
        TaxDetails.objects.all().delete()
        Member.objects.all().delete()
        Tenant.objects.update(name="deleted organisation", state=TenantState.CLOSED)
        told(france, 3_000)
        usage, supplement = Invoice.objects.order_by("pk")
        assert (supplement.subtotal, supplement.total) == (2_00, 2_38)
        assert supplement.buyer == usage.buyer

    def test_what_goes_back_leaves_something_to_pay_with_its_tax(self, france: Tenant) -> None:
        """2.00 less 1.98 is above zero; 2.00 less 1.98 and 0.38 of tax is not."""
        TaxDetails.objects.update(country="US")
        used(france, "payg", {"12-15": 2_000})
        told(france, 1_010)
        close_settled(at("2027-01-02", hour=12))
        december = Invoice.objects.get(period_start=day("12-01"))
        assert (december.subtotal, december.total) == (2_00, 2_00)
        months_correct(now=at("2027-02-01"))
        assert notes() == [("2026-000001", -2_36)]

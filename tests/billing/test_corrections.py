"""What the gateway tells otherwise after a month was closed: never a silent change."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from billing import services
from billing.models import BilledUsage, Invoice, InvoiceKind, Subscription
from billing.services import months_correct
from tenants.models import GatewayPlan, Tenant
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

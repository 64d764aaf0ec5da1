"""The month's close: golden months worked by hand, and what it is through when it is disturbed."""

import importlib
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from structlog.testing import capture_logs

from billing import services
from billing.lines import Line
from billing.models import (
    BilledUsage,
    ExchangeRate,
    Invoice,
    InvoiceKind,
    Subscription,
    SubscriptionState,
    UsageReading,
)
from billing.services import close_month, months_correct
from tenants.models import GatewayPlan
from tests.billing.months import (
    SIX_HOURS,
    at,
    books,
    close_at,
    close_settled,
    counted,
    day,
    held,
    issued,
    tenant_new,
    used,
)
from tests.services import worker_environment

FEE, USAGE = "fee", "usage"
NOVEMBER, DECEMBER = "2026-11-01", "2026-12-01"


@pytest.fixture
def catalogue(db: None) -> None:
    services.seed(now=timezone.now())


@pytest.mark.usefixtures("catalogue")
class TestGolden:
    """Worked by hand from the seeded prices. `payg`: 1,000 free, then 0.2 cents (0.3 yen) up to
    100,000, then 0.1 (0.15). `starter`: 29 dollars (4,500 yen); `pro`: 199 (30,000).
    """

    @pytest.mark.parametrize(
        ("currency", "subscriptions", "usage", "now", "expected"),
        [
            pytest.param(
                "USD", [("starter", "10-05", None)], {}, "12-01",
                [(FEE, NOVEMBER, [("Starter, 2026-11", 1, 29_00)]),
                 (FEE, DECEMBER, [("Starter, 2026-12", 1, 29_00)])],
                id="a flat fee, in advance, and the month that nobody billed in its time",
            ),
            pytest.param(
                "JPY", [("payg", "10-31", None)], {"11-01": 60_000, "11-30": 90_000}, "12-02",
                [(USAGE, NOVEMBER, [("Requests 1 to 1,000, 2026-11", 1_000, 0),
                                    ("Requests 1,001 to 100,000, 2026-11", 99_000, 29_700),
                                    ("Requests 100,001 to 150,000, 2026-11", 50_000, 7_500)])],
                id="usage by tiers, in yen",
            ),
            pytest.param(
                "USD", [("payg", "10-31", None)], {"10-31": 9, "12-01": 9, "11-15": 1_000},
                "12-02", [], id="what is free, and days of other months, cost nothing",
            ),
            pytest.param(
                "USD", [("payg", "10-31", "11-21")], {"11-20": 2_000, "11-21": 99}, "12-02",
                [(USAGE, NOVEMBER, [("Requests 1 to 1,000, 2026-11-01 – 2026-11-21", 1_000, 0),
                                    ("Requests 1,001 to 2,099, 2026-11-01 – 2026-11-21",
                                     1_099, 2_20)])],
                id="one that ended within the month owes its usage still, of its last day too",
            ),
            pytest.param(
                "USD", [("payg", "10-31", "11-16"), ("pro", "11-16", "11-20"),
                        ("payg", "11-20", None)],
                {"11-15": 2_000, "11-16": 5_000, "11-20": 3_000}, "12-02",
                [(USAGE, NOVEMBER, [("Requests 1 to 1,000, 2026-11-01 – 2026-11-16", 1_000, 0),
                                    ("Requests 1,001 to 7,000, 2026-11-01 – 2026-11-16",
                                     6_000, 12_00)]),
                 (USAGE, NOVEMBER, [("Requests 1 to 1,000, 2026-11-20 – 2026-11-30", 1_000, 0),
                                    ("Requests 1,001 to 3,000, 2026-11-20 – 2026-11-30",
                                     2_000, 4_00)])],
                id="each subscription of the month by its own tiers",
            ),
            pytest.param(
                "USD", [("starter", "10-01", "12-03"), ("pro", "12-03", None)], {}, "12-08",
                [(FEE, NOVEMBER, [("Starter, 2026-11", 1, 29_00)]),
                 (FEE, DECEMBER, [("Starter, 2026-12", 1, 29_00)])],
                id="a week late, after a change on the 3rd",
            ),
            pytest.param(
                "USD", [("payg", "11-10", None, "11-24")], {"11-23": 50_000, "11-24": 1_500},
                "12-02",
                [(USAGE, NOVEMBER, [("Requests 1 to 1,000, 2026-11-24 – 2026-11-30", 1_000, 0),
                                    ("Requests 1,001 to 1,500, 2026-11-24 – 2026-11-30",
                                     500, 1_00)])],
                id="usage of a trial is not billed",
            ),
            pytest.param(
                "USD", [("starter", "11-20", None, "12-11")], {}, "12-11",
                [(FEE, DECEMBER, [("Starter, 21 of 31 days", 1, 19_65)])],
                id="a trial that ends within a month: the rest of it, on that day",
            ),
            pytest.param(
                "USD", [("starter", "11-20", None, "12-11")], {}, "12-10", [],
                id="not a day before",
            ),
            pytest.param(
                "USD", [("payg", "2024-01-15", None)], {"2024-02-29": 1_010}, "2024-03-02",
                [(USAGE, "2024-02-01", [("Requests 1 to 1,000, 2024-02", 1_000, 0),
                                        ("Requests 1,001 to 1,010, 2024-02", 10, 2)])],
                id="the 29th of February",
            ),
        ],
    )  # fmt: skip
    def test_a_month(
        self,
        currency: str,
        subscriptions: list[tuple[str, ...]],
        usage: dict[str, int],
        now: str,
        expected: list[Any],
    ) -> None:
        tenant = tenant_new(currency=currency)
        for plan, starts, ends, *trial in subscriptions:
            held(tenant, plan, starts, ends, trial=trial[0] if trial else None)
        used(tenant, "payg", usage)
        close_settled(at(now, hour=12))
        assert issued(tenant) == expected
        owed = sum(amount for _, _, lines in expected for _, _, amount in lines)
        assert books() == ({"receivable": owed, "revenue": -owed} if owed else {})
        assert close_settled(at(now, hour=23)).invoices == 0


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("subscriptions", "counts", "owed"),
    [
        pytest.param(
            [("payg", "11-01", "11-30"), ("starter", "11-30", None)],
            [("payg", "11-30", 10_000_000), ("starter", "11-30", 50)],
            [10_098_00], id="left: 99,000 at 0.2 cents and 9,900,000 at 0.1",
        ),
        pytest.param(
            [("pro", "11-01", "11-16"), ("payg", "11-16", None)],
            [("pro", "11-16", 5_000), ("payg", "11-16", 3_000)],
            [4_00], id="entered: the morning's requests were in the fee",
        ),
        pytest.param(
            [("free", "11-01", "11-20"), ("payg", "11-20", "11-20"), ("pro", "11-20", None)],
            [("free", "11-20", 400), ("payg", "11-20", 2_000), ("pro", "11-20", 9_000)],
            [2_00], id="entered and left on one day",
        ),
        pytest.param(
            [("payg", "10-31", "11-16"), ("payg", "11-16", None)],
            [("payg", "11-15", 1_500), ("payg", "11-16", 4_000)],
            [1_00, 6_00], id="another price of the same plan: by the day",
        ),
    ],
)  # fmt: skip
def test_requests_of_the_day_of_a_change_are_of_the_plan_that_counted_them(
    subscriptions: list[tuple[str, str, str | None]],
    counts: list[tuple[str, str, int]],
    owed: list[int],
) -> None:
    tenant = tenant_new()
    for plan, starts, ends in subscriptions:
        held(tenant, plan, starts, ends)
    for plan, text, count in counts:
        counted(tenant, plan, text, count)
    close_settled(at("12-02", hour=12))
    usage = Invoice.objects.filter(kind=USAGE).order_by("sequence")
    assert list(usage.values_list("subtotal", flat=True)) == owed
    GatewayPlan.objects.update(read_at=at("12-03"))
    assert months_correct(now=at("12-03")) == 0


@pytest.mark.usefixtures("catalogue")
class TestClosed:
    def test_a_month_without_a_bill_is_closed_too(self) -> None:
        held(tenant_new(), "payg", "10-31")
        close_settled(at("12-02", hour=12))
        (closed,) = BilledUsage.objects.filter(period_start=day("11-01"))
        assert (closed.quantity, closed.amount, closed.invoice) == (0, 0, None)

    def test_what_was_billed_is_noted(self) -> None:
        tenant = tenant_new()
        subscription = held(tenant, "payg", "10-31")
        used(tenant, "payg", {"11-15": 2_000})
        close_settled(at("12-02", hour=12))
        closed = BilledUsage.objects.get(period_start=day("11-01"))
        assert (closed.quantity, closed.amount) == (2_000, 2_00)
        assert (closed.price, closed.invoice) == (subscription.price, Invoice.objects.get())

    def test_one_that_waits_for_its_payment_owes_nothing(self) -> None:
        tenant = tenant_new()
        waiting = held(tenant, "payg", "10-31")
        Subscription.objects.filter(pk=waiting.pk).update(state=SubscriptionState.INCOMPLETE)
        used(tenant, "payg", {"11-15": 2_000})
        assert close_settled(at("12-02", hour=12)).invoices == 0

    def test_a_month_late(self) -> None:
        tenant = tenant_new()
        held(tenant, "payg", "10-31")
        held(tenant_new(), "starter", "10-31")
        used(tenant, "payg", {"11-15": 2_000, "12-15": 3_000})
        close_settled(at("2027-01-05"))
        fees = Invoice.objects.filter(kind=FEE).order_by("period_start")
        assert [f"{fee.period_start:%m}" for fee in fees] == ["11", "12", "01"]
        billed = Invoice.objects.filter(tenant=tenant).order_by("sequence")
        assert list(billed.values_list("period_start", "total")) == [
            (day("11-01"), 2_00), (day("12-01"), 4_00)
        ]  # fmt: skip

    def test_a_plan_that_nobody_reads_any_more_settles_nothing(self) -> None:
        """The tenant has left `payg` for `pro`: the reading of `pro` says nothing of the past."""
        tenant = tenant_new(plan="pro")
        held(tenant, "payg", "10-31", "11-21")
        used(tenant, "payg", {"11-15": 2_000})
        close_at(at("12-02"))
        later = at("12-02", hour=12)
        GatewayPlan.objects.exclude(usage_plan__plans__code="payg").update(read_at=later)
        assert close_month(now=later).invoices == 0
        GatewayPlan.objects.update(read_at=later)
        assert close_month(now=later).invoices == 1


@pytest.mark.usefixtures("catalogue")
def test_one_tenants_failure_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = [tenant_new(name) for name in ("first", "broken", "last")]
    broken = held(tenants[1], "pro", "11-05")
    for tenant in (tenants[0], tenants[2]):
        held(tenant, "starter", "11-05")
    close_due: Any = importlib.import_module("billing.services.close_due")
    real: Callable[..., Line] = close_due.month_line

    def failing(plan: Any, share: Any) -> Line:
        if plan == broken.plan:
            raise ValueError("a row that nobody foresaw")
        return real(plan, share)

    monkeypatch.setattr(close_due, "month_line", failing)
    run = close_month(now=at("12-01"))
    assert run.failed == {f"broken ({tenants[1].uuid})": "a row that nobody foresaw"}
    assert set(Invoice.objects.values_list("tenant__name", "sequence")) == {
        ("first", 1), ("last", 2)
    }  # fmt: skip
    monkeypatch.undo()
    assert close_month(now=at("12-01")).invoices == 1


@pytest.mark.usefixtures("catalogue")
def test_who_lacks_a_rate_of_exchange_is_left_out_and_named(settings: Any) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T1234567890123"
    dollars, yen = tenant_new(), tenant_new(currency="JPY")
    for tenant in (dollars, yen):
        held(tenant, "payg", "11-01")
        used(tenant, "payg", {"11-15": 2_000})
    now = at("12-02", hour=12)
    for when in (now - SIX_HOURS, now):
        GatewayPlan.objects.update(read_at=when)
        with capture_logs() as logs:
            run = close_month(now=when)
    assert list(run.failed) == [f"Alice Corp ({dollars.uuid})"]
    assert "no exchange rate from USD to JPY" in run.failed[f"Alice Corp ({dollars.uuid})"]
    assert logs == []  # the batch was done once
    assert Invoice.objects.get().tenant == yen
    november = BilledUsage.objects.filter(period_start=day("11-01"))
    assert november.get().subscription.tenant == yen
    ExchangeRate.objects.create(
        currency="USD", home_currency="JPY", day=day("12-02"), rate=150, source="MUFG TTM"
    )
    assert close_at(now).invoices == 1


@pytest.mark.usefixtures("catalogue")
def test_what_was_not_closed_in_time_is_said_and_can_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = tenant_new()
    held(tenant, "payg", "11-01")
    used(tenant, "payg", {"11-15": 2_000})
    late = at("2027-04-05")
    close_settled(late)
    assert not Invoice.objects.exists()
    clock = SimpleNamespace(now=lambda: late)
    monkeypatch.setattr("billing.management.commands.close_month.timezone", clock)
    out = StringIO()
    call_command("close_month", "--dry-run", stdout=out)
    assert [line.rpartition("--month ")[2] for line in out.getvalue().splitlines()[1:]] == [
        "2026-12", "2026-11"
    ]  # fmt: skip
    with capture_logs() as logs:
        services.months_missed(now=late)
    assert [(log["event"], log["month"], log["subscriptions"]) for log in logs] == [
        ("close.missed", "2026-12", 1), ("close.missed", "2026-11", 1)
    ]  # fmt: skip
    for when in (late, late + SIX_HOURS):
        GatewayPlan.objects.update(read_at=when)
        close_month(now=when, month=day("11-01"))
    assert Invoice.objects.get().total == 2_00
    assert list(services.months_missed(now=late)) == [day("12-01")]


@pytest.mark.usefixtures("catalogue")
def test_no_cost_grows_with_the_batch(django_assert_num_queries: Any) -> None:
    def run() -> int:
        tenant = tenant_new()
        held(tenant, "starter", "10-05")
        held(tenant_new(), "payg", "10-05")
        used(tenant, "payg", {"11-15": 2_000})
        GatewayPlan.objects.update(read_at=at("12-02", hour=12))
        with connection.execute_wrapper(counting):
            queries.clear()
            close_month(now=at("12-02", hour=12), month=day("11-01"))
        return len(queries)

    queries: list[str] = []

    def counting(execute: Any, sql: str, *arguments: Any) -> Any:
        queries.append(sql)
        return execute(sql, *arguments)

    run()
    assert run() == run() <= 31


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("home", ["", "JP"])
def test_nor_with_whom_it_corrects_or_cannot_bill(settings: Any, home: str) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = home, home and "T1234567890123"

    def run(count: int) -> int:
        for _ in range(count):
            tenant = tenant_new()
            payg = held(tenant, "payg", "10-01")
            for revision, quantity in enumerate((2_000, 3_000)):
                BilledUsage.objects.create(
                    subscription=payg, price=payg.price, meter="requests", revision=revision,
                    period_start=day("10-01"), quantity=quantity, amount=quantity // 5 - 200,
                    noted_at=at("11-05"),
                )  # fmt: skip
            used(tenant, "payg", {"11-15": 2_000})
        for when in (at("12-02"), at("12-02") + SIX_HOURS):
            GatewayPlan.objects.update(read_at=when)
            with CaptureQueriesContext(connection) as queries:
                close_month(now=when, month=day("11-01"))
        return len(queries)

    run(1)  # which is the first to take a number
    assert run(1) == run(3)
    corrected = BilledUsage.objects.filter(revision=1).exclude(invoice=None)
    assert corrected.count() == (0 if home else 5)


class TestDisturbed:
    """Ten tenants pay a fee, ten by what they use; batches of three."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def twenty(self, transactional_db: None, valkey: str) -> None:
        services.seed(now=timezone.now())
        for number in range(10):
            held(tenant_new(), "starter", "11-05")
            tenant = tenant_new()
            held(tenant, "payg", "11-01")
            used(tenant, "payg", {"11-15": 2_000 + 500 * number})
        GatewayPlan.objects.update(read_at=at("12-02"))
        UsageReading.objects.bulk_create(
            UsageReading(
                subscription=subscription,
                period_start=day("11-01"),
                requests=2_000 + 500 * number,
                same_since=at("12-02") - SIX_HOURS,
            )
            for number, subscription in enumerate(
                Subscription.objects.filter(plan__code="payg").order_by("pk")
            )
        )

    def process(self, now: datetime, *, dies_in: int = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.billing.close_process"]
        return subprocess.Popen(
            [*command, now.isoformat(), "3", str(dies_in)],
            env=worker_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def test_killed_in_the_middle_and_begun_again_twice_at_once(self, twenty: None) -> None:
        now = at("12-02")
        killed = self.process(now, dies_in=3)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        first = list(Invoice.objects.order_by("sequence").values_list("sequence", "uuid"))
        assert [sequence for sequence, _ in first] == [1, 2, 3, 4, 5, 6]

        both = [self.process(now) for _ in range(2)]
        assert [process.communicate()[0].strip() for process in both] == ["{}", "{}"]
        assert close_month(now=now).invoices == 0

        invoices = Invoice.objects.order_by("sequence")
        assert list(invoices.values_list("sequence", "uuid"))[:6] == first
        assert list(invoices.values_list("sequence", flat=True)) == list(range(1, 21))
        fees = invoices.filter(kind=InvoiceKind.FEE, period_start=day("12-01"))
        usage = invoices.filter(kind=InvoiceKind.USAGE, period_start=day("11-01"))
        assert sorted(fees.values_list("total", flat=True)) == [29_00] * 10
        assert sorted(usage.values_list("total", flat=True)) == [
            2_00 + 1_00 * number for number in range(10)
        ]
        owed = 10 * 29_00 + sum(2_00 + 1_00 * number for number in range(10))
        assert books() == {"receivable": owed, "revenue": -owed}
        assert BilledUsage.objects.filter(period_start=day("11-01")).count() == 10

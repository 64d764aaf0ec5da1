"""Cost to serve, worked by hand at the seeded prices: $3.50 a million requests at the gateway;
$0.20 a million runs beyond the first, $0.0000166667 a GB-second beyond the first 400,000.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from billing.models import CostUnit, ExchangeRate, Plan, UnitCost
from billing.reports.cost import Served, costs_by_plan, costs_by_tenant, costs_dearest
from billing.reports.months import Months
from tests.billing.reports.conftest import Holds, at, bill, use

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
MONTHS = Months(JANUARY, FEBRUARY)
MILLION = 10**6


def told(rows: list[Served]) -> list[tuple[object, ...]]:
    plans = dict(Plan.objects.values_list("id", "code"))
    return [
        (it.currency, plans[it.plan_id or 0], it.month.month, it.tenants, it.requests,
         it.conversions, it.gb_seconds, round(it.cost, 6), it.revenue, it.margin)
        for it in rows
    ]  # fmt: skip


def test_the_accounts_free_tier_is_shared_out_by_use(
    holds: Holds, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    # Ann is on `free` until the 16th of January; Ben pays in yen, and used most.
    ann = holds("Ann", ("free", JANUARY), ("starter", date(2026, 1, 16)))
    ben = holds("Ben", ("payg", JANUARY), currency="JPY")
    use(ann, date(2026, 1, 15), 100_000)
    use(ann, date(2026, 1, 16), 400_000, 100_000, 200_000)
    use(ben, date(2026, 1, 31), 1_000_000, 400_000, 600_000)
    use(ann, date(2026, 2, 3), 999_000, 1_000, 400_000)  # all within the free tier of Lambda
    bill(ann, 29_00, at(1, 16))
    bill(ben, 2_000, at(1, 31), currency="JPY")
    ExchangeRate.objects.create(
        currency="USD", home_currency="JPY", rate=150, day=JANUARY, source="MUFG TTM"
    )

    with django_assert_num_queries(5):
        rows = costs_by_plan(months=MONTHS)

    # January: 2,000,000 runs, half of them free: $0.0000001 each. 800,000 GB-seconds, half of them
    # free: $0.00000833335 each.
    assert told(rows) == [
        # 3.60 a million requests + 400,000 × 0.1 a million + 600,000 × 0.00000833335
        ("JPY", "payg", 1, 1, MILLION, 400_000, 600_000, Decimal("8.640010"), 2_000, 2_000 - 1_296),
        ("USD", "free", 1, 1, 100_000, 0, 0, Decimal("0.360000"), 0, -36),
        # 1.44 for requests + 0.01 for conversions + 1.66667
        ("USD", "starter", 1, 1, 400_000, 100_000, 200_000, Decimal("3.116670"), 29_00, 2588),
        ("USD", "starter", 2, 1, 999_000, 1_000, 400_000, Decimal("3.496500"), 0, -350),
    ]
    tenants = list(costs_by_tenant(months=MONTHS))
    assert [
        (it.name, *row[:4], row[7]) for it, row in zip(tenants, told(tenants), strict=True)
    ] == [
        ("Ben", "JPY", "payg", 1, 1, Decimal("8.640010")),
        ("Ann", "USD", "starter", 1, 1, Decimal("3.476670")),
        ("Ann", "USD", "starter", 2, 1, Decimal("3.496500")),
    ]
    # What the account is billed in January: 1,500,000 at the gateway, 1,000,000 runs, 400,000 GB-s.
    billed = Decimal("5.25") + Decimal("0.20") + Decimal("6.66668")
    assert abs(sum(it.cost for it in rows if it.month == JANUARY) - billed) < Decimal("1e-12")


def test_the_database_picks_those_that_cost_most(
    holds: Holds, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for name, requests, conversions, currency in (
        ("Ann", 2_000_000, 0, "USD"), ("Ben", 10, 2_000_000, "USD"), ("Cho", 3_000_000, 0, "USD"),
        ("Dai", 1, 0, "JPY"),
    ):  # fmt: skip
        tenant = holds(name, ("payg", JANUARY), currency=currency)
        use(tenant, JANUARY, requests, conversions)
        bill(tenant, 5_00, at(1, 31), currency=currency)
    with django_assert_num_queries(6):
        found = costs_dearest(month=JANUARY, most=2)
    assert [it.name for it in found] == ["Dai", "Cho", "Ann"]
    every = [it for it in costs_by_tenant(months=Months(JANUARY, JANUARY)) if it.name != "Ben"]
    assert found == every


def test_a_price_counts_from_the_month_it_begins_with(holds: Holds) -> None:
    ann = holds("Ann", ("free", JANUARY), currency="JPY")
    for month in (JANUARY, FEBRUARY):
        use(ann, month, MILLION)
    UnitCost.objects.create(
        unit=CostUnit.GATEWAY_REQUESTS, price=Decimal("0.000004"), free=500_000, region="us-east-1",
        source="a contract", valid_from=date(2026, 1, 2),
    )  # fmt: skip

    january, february = costs_by_plan(months=MONTHS)

    assert (january.cost, january.margin) == (Decimal("3.5"), None)  # no exchange rate is known
    assert february.cost == Decimal(2)


def test_tenants_are_neither_shown_nor_billed_for_compute(holds: Holds, client: Client) -> None:
    ann = holds("Ann", ("free", JANUARY))
    use(ann, datetime.now(UTC).date(), 0, 0, 777)
    member = ann.members.get().user
    client.force_login(member)
    assert client.get(reverse("usage"), {"meter": "conversions"}).status_code == 200
    assert client.get(reverse("usage"), {"meter": "compute"}).status_code == 400
    assert "777" not in client.get(reverse("billing")).content.decode()

"""What passes beyond a spending cap is not charged: by the close, corrections, and on the page."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing import selectors, services
from billing.models import (
    BilledUsage,
    CapChange,
    Invoice,
    PriceMove,
    SpendingCap,
    Subscription,
)
from billing.spending import cap_row
from billing.tiers import Tier
from tenants.models import Entitlement, GatewayPlan, Meter, Tenant
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

FREE = ("Requests 1 to 1,000, 2026-11", 1_000, 0)


@pytest.fixture
def payg(db: None) -> Subscription:
    """`payg`: 1,000 requests free, then 0.2 cents."""
    services.seed(now=timezone.now())
    return held(tenant_new(), "payg", "10-01")


def cap(subscription: Subscription, *changes: tuple[str, int | None]) -> None:
    for text, requests in changes:
        CapChange.objects.create(
            subscription=subscription, requests=requests, written_at=at(text, hour=9)
        )


def lines() -> list[tuple[str, int, int]]:
    invoice = Invoice.objects.get()
    return list(invoice.lines.values_list("description", "quantity", "amount"))


@pytest.mark.parametrize(
    ("changes", "usage", "charged", "forgiven"),
    [
        pytest.param(
            [("09-01", 9_000), ("10-15", 2_000)], {"11-20": 2_010}, 2_000, 10,
            id="a cap that stood already",
        ),
        pytest.param(
            [("11-10", 2_000)], {"11-10": 5_000, "11-20": 30}, 5_000, 30,
            id="set after more was used: that is owed",
        ),
        pytest.param(
            [("10-15", 2_000), ("11-10", 3_000)], {"11-09": 2_004, "11-11": 1_001}, 3_000, 5,
            id="raised: up to the higher one",
        ),
        pytest.param(
            [("10-15", 3_000), ("11-10", 2_000)], {"11-09": 1_500, "11-11": 520}, 2_000, 20,
            id="lowered before it was reached",
        ),
        pytest.param(
            [("10-15", 3_000), ("11-10", 2_000)], {"11-09": 3_040, "11-11": 1}, 3_000, 41,
            id="lowered after it was: what passed beyond the higher one stays forgiven",
        ),
        pytest.param(
            [("10-15", 2_000), ("11-05", None), ("11-10", 4_000)],
            {"11-04": 2_007, "11-09": 3_993, "11-20": 9}, 6_000, 9,
            id="lifted and set again",
        ),
        pytest.param(
            [("10-15", 2_000), ("11-20", None)], {"11-19": 2_500}, 2_500, 0, id="lifted",
        ),
        pytest.param([("12-01", 1_500)], {"11-19": 2_500}, 2_500, 0, id="another month's"),
    ],
)  # fmt: skip
def test_the_most_that_is_charged(
    payg: Subscription,
    changes: list[tuple[str, int | None]],
    usage: dict[str, int],
    charged: int,
    forgiven: int,
) -> None:
    cap(payg, *changes)
    used(payg.tenant, "payg", usage)
    close_settled(at("12-02", hour=12))
    cost = (charged - 1_000) // 5
    text = f"Requests 1,001 to {charged:,}, 2026-11"
    expected = [FREE, (text, charged - 1_000, cost)]
    if forgiven:
        expected.append((f"{forgiven} requests beyond your spending cap, not charged", forgiven, 0))
    assert lines() == expected
    billed = BilledUsage.objects.get(period_start=day("11-01"))
    assert (billed.quantity, billed.forgiven) == (charged + forgiven, forgiven)
    assert billed.amount == cost
    assert books() == {"receivable": cost, "revenue": -cost}


def test_a_correction_charges_no_more_than_the_cap_either_and_says_so(payg: Subscription) -> None:
    cap(payg, ("10-15", 2_000))
    used(payg.tenant, "payg", {"11-20": 1_900})
    close_settled(at("12-02", hour=12))
    for figure, on in ((2_600, at("12-05")), (1_500, at("12-06"))):
        used(payg.tenant, "payg", {"11-20": figure})
        for when in (on, on + SIX_HOURS):
            GatewayPlan.objects.update(read_at=when)
            services.months_correct(now=when)
    used(payg.tenant, "payg", {"12-20": 1_900})
    close_settled(at("2027-01-02", hour=12))
    corrections = Invoice.objects.get(period_start=day("12-01")).lines.filter(group="correction")
    capped = "charged under your spending cap"
    assert list(corrections.values_list("description", "amount")) == [
        (f"Correction of 2026-11: 2,600 requests, billed as 1,900; {capped}: 2,000 instead of "
         "1,900", 20),
        (f"Correction of 2026-11: 1,500 requests, billed as 2,600; {capped}: 1,500 instead of "
         "2,000", -1_00),
    ]  # fmt: skip


def test_a_cap_that_a_price_move_carries_over_stands_on_its_day(payg: Subscription) -> None:
    services.cap_set(tenant=payg.tenant, amount=2_00, actor=None, now=at("10-15"))
    steps = {Meter.REQUESTS: [Tier(1_000, Decimal(0)), Tier(None, Decimal("0.2"))]}
    price = services.price_set(
        plan=payg.plan, currency="USD", monthly_fee=0, steps=steps, now=at("10-16")
    )
    PriceMove.objects.create(
        subscription=payg, price=price, takes_effect_on=day("11-01"), created_at=at("10-16")
    )
    services.changes_apply(now=at("11-01"))
    used(payg.tenant, "payg", {"11-01": 2_600})
    close_settled(at("12-02", hour=12))
    text = "598 requests beyond your spending cap, not charged"
    assert lines() == [FREE, ("Requests 1,001 to 2,002, 2026-11", 1_002, 2_00), (text, 598, 0)]


@pytest.fixture
def dearer_since_november(payg: Subscription) -> PriceMove:
    """A move that beat has not made yet: 1,000 requests free, then 0.4 cents."""
    steps = {Meter.REQUESTS: [Tier(1_000, Decimal(0)), Tier(None, Decimal("0.4"))]}
    price = services.price_set(
        plan=payg.plan, currency="USD", monthly_fee=0, steps=steps, now=at("10-16")
    )
    return PriceMove.objects.create(
        subscription=payg, price=price, takes_effect_on=day("11-01"), created_at=at("10-16")
    )


def test_a_cap_set_after_the_day_of_a_late_move_forgives_nothing_used_before(
    payg: Subscription, dearer_since_november: PriceMove
) -> None:
    """Of two dollars: (200 + 0.4) / 0.4 = 501 requests beyond the first 1,000."""
    used(payg.tenant, "payg", {"11-02": 4_000})
    services.cap_set(tenant=payg.tenant, amount=2_00, actor=None, now=at("11-05"))
    assert allowed(payg.tenant) == (1_501, 1_501)
    used(payg.tenant, "payg", {"11-05": 300, "11-06": 50})
    services.changes_apply(now=at("11-08"))
    close_settled(at("12-02", hour=12))
    text = "50 requests beyond your spending cap, not charged"
    assert lines() == [FREE, ("Requests 1,001 to 4,300, 2026-11", 3_300, 13_20), (text, 50, 0)]


def test_a_cap_stands_from_the_day_of_a_move_that_comes_in_another_month(
    payg: Subscription, dearer_since_november: PriceMove
) -> None:
    services.cap_set(tenant=payg.tenant, amount=2_00, actor=None, now=at("10-20"))
    used(payg.tenant, "payg", {"11-20": 2_600})
    close_settled(at("12-02", hour=12))
    text = "1,099 requests beyond your spending cap, not charged"
    assert lines() == [FREE, ("Requests 1,001 to 1,501, 2026-11", 501, 2_00), (text, 1_099, 0)]
    assert allowed(payg.tenant) == (1_501, 1_501)


def test_the_page_says_the_same_before(payg: Subscription) -> None:
    cap(payg, ("10-15", 2_000))
    used(payg.tenant, "payg", {"11-20": 2_600})
    found = services.forecast(tenant=payg.tenant, now=at("11-21"))
    assert found is not None
    assert (found.lines[-1].quantity, found.total, found.expected) == (600, 2_00, 2_00)
    row = selectors.subscription_row(tenant=payg.tenant, now=at("11-21"))
    usage: Any = row["usage"]
    assert [(meter["used"], meter["amount"]) for meter in usage] == [(2_600, "$2.00")]


def test_the_page_says_how_near_the_cap_is(payg: Subscription) -> None:
    """Two of ten dollars were spent under an ended subscription, one in a new one."""
    tenant = payg.tenant
    Subscription.objects.update(state="cancelled", ends_on=day("11-05"))
    held(tenant, "payg", "11-10")
    used(tenant, "payg", {"11-03": 2_000, "11-12": 1_500})
    services.cap_set(tenant=tenant, amount=10_00, actor=None, now=at("11-13"))

    def said() -> tuple[object, object]:
        row = cap_row(tenant=tenant, now=at("11-14"))
        assert row is not None
        return row["spent"], row["percent"]

    assert said() == ("$3.00", 30)
    services.cap_set(tenant=tenant, amount=1_00, actor=None, now=at("11-13"))
    assert said() == ("$3.00", 300)  # what was used before is owed


def allowed(tenant: Tenant) -> tuple[int, int | None]:
    """Return what a cap allows the subscription, and the tenant in the quota period."""
    latest = Entitlement.objects.filter(tenant=tenant).latest("period_start")
    return SpendingCap.objects.get().requests, latest.cap_requests


def test_the_amount_is_the_whole_months_whatever_plans_it_had(payg: Subscription) -> None:
    """4 of 10 dollars are spent under an ended subscription, 700 requests were in another's fee."""
    tenant = payg.tenant
    Subscription.objects.update(state="cancelled", ends_on=day("11-05"))
    held(tenant, "pro", "11-05", "11-10")
    again = held(tenant, "payg", "11-10")
    used(tenant, "payg", {"11-03": 3_000, "11-12": 500})
    used(tenant, "pro", {"11-07": 700})
    services.cap_set(tenant=tenant, amount=10_00, actor=None, now=at("11-13"))
    own = 1_000 + 3_000 + 2  # 0.4 cents are no cent
    assert allowed(tenant) == (own, 3_700 + own)
    used(tenant, "pro", {"11-07": 750})
    services.caps_sweep(now=at("11-14"))
    assert allowed(tenant) == (own, 3_750 + own)
    services.caps_sweep(now=at("12-01"))
    assert allowed(tenant) == (1_000 + 5_000 + 2, 1_000 + 5_000 + 2)
    services.cap_lift(tenant=tenant, actor=None, now=at("12-03"))
    changes = CapChange.objects.order_by("pk").values_list("subscription", "requests")
    assert list(changes) == [(again.pk, own), (again.pk, 6_002), (again.pk, None)]

"""The next invoice so far, and what the month is likely to come to; worked by hand."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import selectors, services
from billing.models import BilledUsage, CapChange, Customer, PriceVersion
from billing.services import Forecast, forecast
from tenants.models import Tenant, User
from tests.billing.months import at, counted, day, held, tenant_new, used

NOW = at("11-21", hour=12)


@pytest.fixture
def tenant(db: None) -> Tenant:
    services.seed(now=timezone.now())
    return tenant_new()


def found(tenant: Tenant) -> Forecast:
    result = forecast(tenant=tenant, now=NOW)
    assert result is not None
    return result


def lines(result: Forecast) -> list[tuple[str, int]]:
    return [(line.description, line.amount) for line in result.lines]


def test_usage_goes_on_as_in_the_last_seven_full_days(tenant: Tenant) -> None:
    held(tenant, "payg", "10-01")
    used(tenant, "payg", {"11-01": 2_000, "11-14": 7_000, "11-20": 7_000, "11-21": 500})
    result = found(tenant)
    assert lines(result) == [
        ("Requests 1 to 1,000, 2026-11", 0),
        ("Requests 1,001 to 16,500, 2026-11", 31_00),
    ]
    # 16,000 before today, and 2,000 a day for the ten days from today on.
    assert (result.total, result.expected) == (31_00, (36_000 - 1_000) * 2 // 10)


def test_it_is_never_less_than_what_is_used(tenant: Tenant) -> None:
    held(tenant, "payg", "10-01")
    used(tenant, "payg", {"11-21": 6_000})
    result = found(tenant)
    assert (result.total, result.expected) == (10_00, 10_00)


@pytest.mark.parametrize(("requests", "expected"), [(20_000, 38_00), (10_000, 31_00)])
def test_nor_more_than_a_cap_allows(tenant: Tenant, requests: int, expected: int) -> None:
    payg = held(tenant, "payg", "10-01")
    used(tenant, "payg", {"11-01": 2_000, "11-14": 7_000, "11-20": 7_000, "11-21": 500})
    CapChange.objects.create(subscription=payg, requests=requests, written_at=at("11-21"))
    assert found(tenant).expected == expected


def test_a_plan_of_yesterday_goes_on_as_yesterday(tenant: Tenant) -> None:
    held(tenant, "payg", "11-20")
    used(tenant, "payg", {"11-19": 90_000, "11-20": 3_000})
    result = found(tenant)
    assert (result.total, result.expected) == (4_00, (3_000 + 30_000 - 1_000) * 2 // 10)


def test_a_fee_is_that_of_the_next_month(tenant: Tenant) -> None:
    held(tenant, "starter", "10-01")
    result = found(tenant)
    assert lines(result) == [("Starter, 2026-12", 29_00)]
    assert (result.total, result.expected) == (29_00, 29_00)


def test_a_plan_to_come_has_its_setup_fee(tenant: Tenant) -> None:
    held(tenant, "pro", "10-01")
    Customer.objects.filter(tenant=tenant).update(payment_method_id="pm_card_visa")
    PriceVersion.objects.filter(plan__code="starter").update(setup_fee=10_00)
    services.plan_change(
        tenant=tenant, plan_code="starter", shown=0, token="1", actor=None, now=NOW
    )
    assert lines(found(tenant)) == [("Starter, 2026-12", 29_00), ("Starter, setup", 10_00)]


def test_a_free_plan_has_none(tenant: Tenant) -> None:
    held(tenant, "free", "10-01")
    assert forecast(tenant=tenant, now=NOW) is None


def test_a_correction_is_on_it_once_the_invoice_could_bear_it(tenant: Tenant) -> None:
    payg = held(tenant, "payg", "10-01")
    for revision, quantity in enumerate((6_000, 1_000)):
        BilledUsage.objects.create(
            subscription=payg, price=payg.price, meter="requests", period_start=day("10-01"),
            revision=revision, quantity=quantity, amount=(quantity - 1_000) // 5,
            noted_at=at("11-02"),
        )  # fmt: skip
    used(tenant, "payg", {"11-01": 6_000})
    assert found(tenant).total == 10_00
    used(tenant, "payg", {"11-01": 6_100})
    result = found(tenant)
    assert lines(result)[-1] == (
        "Correction of 2026-10: 1,000 requests, billed as 6,000", -10_00
    )  # fmt: skip
    assert result.total == 20


@pytest.mark.parametrize(
    ("starts", "trial", "so_far"),
    [("11-16", None, "$4.00"), ("11-10", "11-17", "$0.00"), ("11-10", "12-17", "$0.00")],
)
def test_used_so_far_is_what_the_close_would_bill(
    tenant: Tenant, starts: str, trial: str | None, so_far: str
) -> None:
    """Not the morning's requests of another plan, and nothing of a trial."""
    held(tenant, "pro", "11-01", starts)
    held(tenant, "payg", starts, trial=trial)
    counted(tenant, "pro", "11-16", 5_000)
    counted(tenant, "payg", "11-16", 3_000)
    row = selectors.subscription_row(tenant=tenant, now=NOW)
    usage: Any = row["usage"]
    assert [meter["amount"] for meter in usage] == [so_far]
    assert found(tenant).total == (4_00 if so_far == "$4.00" else 0)


def test_the_page_shows_its_arithmetic(tenant: Tenant, client: Client) -> None:
    today = timezone.now().date()
    held(tenant, "payg", today.replace(day=1).isoformat())
    used(tenant, "payg", {today.isoformat(): 2_500})
    client.force_login(User.objects.get())
    page = client.get(reverse("billing")).content.decode()
    assert "Requests 1,001 to 2,500" in page
    assert 'data-testid="next-invoice"><strong>$3.00' in page
    assert "daily average of the last seven full days" in page

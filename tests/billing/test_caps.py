"""Spending caps: so much money is so many requests, and the gateway stops there."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing import services, tiers
from billing.models import Plan, SpendingCap, Subscription
from billing.tiers import Tier
from tenants.errors import Refused
from tenants.models import ApiKeyVersion, Entitlement, Meter, Tenant, User
from tenants.services import api_key_value_reveal
from tests.billing.conftest import SignUpCall, subscribe
from tests.conftest import Call, RunTasks

UNITS = st.decimals(0, 5, places=4)


@st.composite
def steps(draw: st.DrawFn) -> list[Tier]:
    bounds = draw(st.lists(st.integers(1, 60), max_size=3, unique=True))
    last = [draw(st.sampled_from([None, 80]))]
    return [Tier(up_to, draw(UNITS)) for up_to in [*sorted(bounds), *last]]


class TestMost:
    @given(steps(), st.integers(0, 100))
    def test_is_the_largest_count_that_fits(self, graduated: list[Tier], amount: int) -> None:
        most = tiers.most(graduated, amount)
        if most is None:
            assert tiers.price(graduated, 10**9) <= amount
            return
        assert tiers.price(graduated, most) <= amount < tiers.price(graduated, most + 1)

    def test_takes_no_longer_for_a_large_one(self) -> None:
        graduated = [Tier(1_000, Decimal(0)), Tier(None, Decimal("0.0001"))]
        assert tiers.most(graduated, 10**15) == 1_000 + 10**19 + 4_999

    @pytest.mark.parametrize(("amount", "most"), [(0, 1_002), (1, 1_007), (198_00, 100_004)])
    def test_golden(self, amount: int, most: int) -> None:
        """0.2 cents up to 100,000: 2 requests are 0.4 cents, which is none; 3 are one."""
        payg = [Tier(1_000, Decimal(0)), Tier(100_000, Decimal("0.2")), Tier(None, Decimal("0.1"))]
        assert tiers.most(payg, amount) == most


def cheap(tiers_: list[Tier]) -> None:
    """Give `payg` another price; who subscribes from now on has it."""
    plan = Plan.objects.get(code="payg")
    services.price_set(
        plan=plan, currency="USD", monthly_fee=0, steps={Meter.REQUESTS: tiers_},
        now=timezone.now(),
    )  # fmt: skip


def cap_of(tenant: Tenant) -> int | None:
    return Entitlement.objects.filter(tenant=tenant).latest("period_start").cap_requests


@pytest.mark.django_db(transaction=True)
class TestCap:
    @pytest.fixture
    def payg(self, shop: None, sign_up: SignUpCall) -> Tenant:
        cheap([Tier(5, Decimal(0)), Tier(None, Decimal(10))])
        return subscribe(sign_up, "payg")

    def passes(self, call: Call, value: str) -> int:
        """Call until refused; return how many calls passed."""
        for count in range(40):
            if call(value).status_code == 429:
                return count
        return 40

    def test_the_gateway_stops_at_the_cap_and_goes_on_once_it_is_raised(
        self, call: Call, payg: Tenant, run_tasks: RunTasks
    ) -> None:
        services.cap_set(tenant=payg, amount=35, actor=None, now=timezone.now())
        run_tasks()
        version = ApiKeyVersion.objects.get(api_key__tenant=payg)
        value = api_key_value_reveal(version=version, now=timezone.now()) or ""
        assert self.passes(call, value) == 5 + 3
        services.cap_set(tenant=payg, amount=50, actor=None, now=timezone.now())
        run_tasks()
        assert self.passes(call, value) == 2
        services.cap_lift(tenant=payg, actor=None, now=timezone.now())
        run_tasks()
        assert self.passes(call, value) == 40

    def test_another_price_makes_another_number_of_requests(self, payg: Tenant) -> None:
        services.cap_set(tenant=payg, amount=100, actor=None, now=timezone.now())
        assert cap_of(payg) == 15
        services.caps_sweep(now=timezone.now())
        assert cap_of(payg) == 15
        cheap([Tier(None, Decimal(20))])
        plan = Plan.objects.get(code="payg")
        latest = plan.prices.filter(currency="USD").latest("number")
        Subscription.objects.filter(tenant=payg, state="active").update(price=latest)
        services.caps_sweep(now=timezone.now())
        assert cap_of(payg) == SpendingCap.objects.get().requests == 5

    def test_the_sweep_asks_no_more_for_more_tenants(
        self, payg: Tenant, sign_up: SignUpCall
    ) -> None:
        def asked() -> int:
            with CaptureQueriesContext(connection) as queries:
                services.caps_sweep(now=timezone.now())
            return len(queries)

        services.cap_set(tenant=payg, amount=100, actor=None, now=timezone.now())
        of_one = asked()
        other = subscribe(sign_up, "payg")
        services.cap_set(tenant=other, amount=50, actor=None, now=timezone.now())
        assert asked() == of_one
        Entitlement.objects.filter(tenant=other).update(cap_requests=3)
        assert asked() > of_one
        assert (cap_of(payg), cap_of(other), asked()) == (15, 10, of_one)

    def test_it_rests_on_a_plan_without_prices_of_use(self, payg: Tenant) -> None:
        services.cap_set(tenant=payg, amount=100, actor=None, now=timezone.now())
        pro = Plan.objects.get(code="pro")
        active = Subscription.objects.get(tenant=payg, state="active")
        Subscription.objects.filter(pk=active.pk).update(
            plan=pro, price=pro.prices.get(currency="USD")
        )
        services.caps_sweep(now=timezone.now())
        assert cap_of(payg) is None
        with pytest.raises(Refused):
            services.cap_set(tenant=payg, amount=50, actor=None, now=timezone.now())
        Subscription.objects.filter(pk=active.pk).update(plan=active.plan, price=active.price)
        services.caps_sweep(now=timezone.now())
        assert cap_of(payg) == 15

    def test_the_page_sets_it_says_it_and_lifts_it(
        self, payg: Tenant, owner: User, client: Client
    ) -> None:
        client.force_login(owner)
        page = client.get(reverse("billing")).content.decode()
        assert "No cap is set: every request is charged." in page
        client.post(reverse("billing-cap"), {"amount": "1.50"})
        page = client.get(reverse("billing")).content.decode()
        assert "$1.50 a month, which is 20 requests at your prices." in page
        assert "<strong>$0.00</strong> of $1.50 spent this month (0&nbsp;%)" in page
        client.post(reverse("billing-cap"), {"amount": ["1.50", ""]})
        assert not SpendingCap.objects.exists()
        assert cap_of(payg) is None

    @pytest.mark.parametrize("typed", ["-1", "much", "1.005", "NaN", "1e30"])
    def test_the_page_refuses_what_is_no_amount(
        self, payg: Tenant, owner: User, client: Client, typed: str
    ) -> None:
        client.force_login(owner)
        client.post(reverse("billing-cap"), {"amount": typed})
        assert not SpendingCap.objects.exists()

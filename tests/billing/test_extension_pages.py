"""The page of quota extensions: what is left, giving back, and automatic top-ups."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import services
from billing.models import (
    AutoTopUp,
    ExtensionPack,
    Order,
    OrderState,
    PriceVersion,
    Subscription,
    Unused,
)
from billing.services.taking_back import taking_back_run
from billing.services.top_up_all import top_ups_run
from tenants.models import Member, QuotaGrant, Role, Tenant, User
from tenants.services import closing
from tests.answers import said
from tests.billing.conftest import SignUpCall, bought
from tests.billing.saved_cards import save
from tests.billing.topped_up import use
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/billing/extensions/"


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    ExtensionPack.objects.update(unused=Unused.ROLL_OVER)
    return sign_up("free").tenant


@pytest.fixture
def browser(tenant: Tenant, owner: User, client: Client) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def developer(tenant: Tenant) -> Client:
    bob = User.objects.create_user("bob@example.com", PASSWORD)
    Member.objects.create(tenant=tenant, user=bob, role=Role.DEVELOPER, created_at=timezone.now())
    client = Client()
    client.force_login(bob)
    return client


def test_a_plan_by_use_sells_none_and_says_so(tenant: Tenant, browser: Client) -> None:
    price = PriceVersion.objects.get(plan__code="payg", currency="USD")
    Subscription.objects.update(plan=price.plan, price=price)
    page = browser.get(PAGE).content.decode()
    assert "Your plan needs no packs" in page
    assert 'name="pack"' not in page
    assert "Buy more requests" not in browser.get(reverse("billing")).content.decode()


def give_back(browser: Client, order: Order) -> Any:
    address = reverse("billing-extension-give-back", args=[order.uuid])
    return browser.post(address, follow=True)


class TestLeft:
    def test_the_rule_is_shown_before_and_frozen_at_the_purchase(
        self, tenant: Tenant, browser: Client
    ) -> None:
        assert "What is unused rolls over once" in browser.get(PAGE).content.decode()
        now = timezone.now()
        order = services.extension_order(
            tenant=tenant, pack_code="extra-100", token="1", actor=None, now=now
        )
        ExtensionPack.objects.update(unused=Unused.EXPIRE)
        assert order.rolls_over
        assert bought(tenant, now=now).pk == order.pk
        assert QuotaGrant.objects.get().rolls_over
        assert "then what is left rolls over" in browser.get(PAGE).content.decode()

    def test_what_is_left_and_what_became_of_earlier_ones(
        self, tenant: Tenant, browser: Client
    ) -> None:
        then = timezone.now() - timedelta(days=40)
        bought(tenant, form="then", now=then)
        for minutes in (0, 1, 2):
            closing.periods_close(now=timezone.now() + timedelta(minutes=minutes))
        bought(tenant, form="now", now=timezone.now())
        use(tenant, 130, timezone.now())
        page = browser.get(PAGE)
        current = [(row.name, row.used, row.left) for row in page.context["current"]]
        assert current == [("Roll-over", 30, 70), ("Extra 100", 0, 100)]
        (earlier,) = page.context["earlier"]
        assert (earlier.rolled_over, earlier.state) == (100, "rolled_over")
        assert "70 of 100" in page.content.decode()


class TestGivingBack:
    def test_it_is_taken_back_and_paid_back(self, tenant: Tenant, browser: Client) -> None:
        order = bought(tenant, now=timezone.now())
        assert "Give back" in browser.get(PAGE).content.decode()
        assert "taken back" in said(give_back(browser, order))
        page = browser.get(PAGE)
        assert "Being taken back" in page.content.decode()
        assert "Give back" not in page.content.decode()
        back = browser.get(reverse("billing-checkout-return", args=[order.uuid]))
        assert "gave it back" in back.context["order"]["error"]
        taking_back_run(now=timezone.now())
        assert "Refunded" in browser.get(PAGE).content.decode()

    def test_a_used_one_is_refused_with_the_reason(self, tenant: Tenant, browser: Client) -> None:
        order = bought(tenant, now=timezone.now())
        use(tenant, 101, timezone.now())
        assert "have been used" in said(give_back(browser, order))
        order.refresh_from_db()
        assert order.state == OrderState.FULFILLED

    def test_only_by_those_who_may_buy_and_never_by_strangers(
        self, tenant: Tenant, developer: Client, browser: Client
    ) -> None:
        order = bought(tenant, now=timezone.now())
        assert give_back(developer, order).status_code == 403
        charlie = User.objects.create_user("charlie@example.org", PASSWORD)
        services.sign_up(
            user=charlie, organization="Charlie", plan_code="free", currency="USD",
            now=timezone.now(), language="en",
        )  # fmt: skip
        browser.force_login(charlie)
        assert give_back(browser, order).status_code == 404
        order.refresh_from_db()
        assert order.state == OrderState.FULFILLED


class TestTopUp:
    FORM = {"pack": "extra-100", "percent": "20", "most": "3"}

    def test_on_bought_and_off(self, tenant: Tenant, browser: Client) -> None:
        now: datetime = timezone.now()
        assert "needs a saved card" in browser.get(PAGE).content.decode()
        save(tenant, now=now)
        address = reverse("billing-top-up")
        browser.post(address, self.FORM)
        page = browser.get(PAGE).content.decode()
        assert "up to 3 times a period: <strong>$3.00</strong> before tax" in page
        use(tenant, 90, now)
        assert len(top_ups_run(clock=lambda: now).settled) == 1
        page = browser.get(PAGE).content.decode()
        assert "Bought automatically in this period: 1." in page
        assert "Automatic purchases" in page
        browser.post(address, {"stop": "1"})
        assert not AutoTopUp.objects.get().is_on
        assert "Turn on" in browser.get(PAGE).content.decode()

    @pytest.mark.parametrize("changed", [{"percent": "x"}, {"most": "-1"}, {"pack": "<b>"}])
    def test_what_makes_no_sense_is_refused(
        self, tenant: Tenant, browser: Client, changed: dict[str, str]
    ) -> None:
        save(tenant, now=timezone.now())
        answer = browser.post(reverse("billing-top-up"), {**self.FORM, **changed}, follow=True)
        assert said(answer)
        assert not AutoTopUp.objects.exists()

    def test_not_by_a_developer(self, tenant: Tenant, developer: Client) -> None:
        answer = developer.post(reverse("billing-top-up"), self.FORM, follow=True)
        assert answer.status_code == 403
        assert not AutoTopUp.objects.exists()

    def test_a_decline_is_told_on_the_page(self, tenant: Tenant, browser: Client) -> None:
        customer = save(tenant, now=timezone.now()).customer
        browser.post(reverse("billing-top-up"), self.FORM)
        customer.payment_method_id = "pm_card_chargeCustomerFail"
        customer.save()
        use(tenant, 100, timezone.now())
        top_ups_run(clock=timezone.now)
        page = browser.get(PAGE).content.decode()
        assert "It was turned off" in page
        assert AutoTopUp.objects.get().off_reason in page

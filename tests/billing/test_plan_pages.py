"""The pages to change plan: what is shown is what is charged."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone

from billing import services
from billing.models import Customer, Order, Plan, PlanChange, PriceVersion, Subscription
from tenants.models import Member, Role, Tenant, User
from tests.answers import said
from tests.billing.changed import plan_of
from tests.billing.conftest import SignUpCall, buy
from tests.cast import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
CHOICES, KEEP = reverse("billing-plan"), reverse("billing-plan-keep")


def page_of(plan: str) -> str:
    return reverse("billing-plan-change", args=[plan])


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    """A tenant that has just begun on `starter`."""
    signed_up = sign_up("starter")
    assert signed_up.order is not None
    services.order_check(order=buy(signed_up.order), now=timezone.now())
    return signed_up.tenant


@pytest.fixture
def browser(tenant: Tenant, owner: User, client: Client) -> Client:
    client.force_login(owner)
    return client


def press(browser: Client, plan: str, **more: str) -> Any:
    """Look at a change, and press its button."""
    context = browser.get(page_of(plan)).context
    form = {"token": context["token"], "amount": str(context["offer"]["amount"])}
    return browser.post(page_of(plan), form | more)


def test_the_choices_show_todays_plan_beside_the_others(browser: Client) -> None:
    html = browser.get(CHOICES).content.decode()
    assert page_of("pro") in html
    assert page_of("free") in html
    assert page_of("starter") not in html


def test_what_is_shown_is_ordered_and_paid(browser: Client, tenant: Tenant) -> None:
    shown = browser.get(page_of("pro")).context["offer"]
    answer = press(browser, "pro")
    found = resolve(answer["Location"])
    assert found.url_name == "billing-checkout"
    order = Order.objects.get(uuid=found.kwargs["order_uuid"])
    assert order.amount == shown["amount"] > 0
    # The tab is closed: the way to the payment is on the overview.
    assert reverse("billing-checkout", args=[order.uuid]) in overview(browser)
    assert f"{order.description}: {shown['amount_display']}, if it" in overview(browser)
    services.order_check(order=buy(order), now=timezone.now())
    assert plan_of(tenant) == "pro"
    assert order.invoice.total == shown["amount"]
    assert reverse("billing-checkout", args=[order.uuid]) not in overview(browser)


def overview(browser: Client) -> str:
    return browser.get(reverse("billing")).content.decode()


def test_another_amount_is_not_charged(browser: Client) -> None:
    answer = press(browser, "pro", amount="1")
    assert answer["Location"] == page_of("pro")
    assert "amount has changed" in said(browser.get(answer["Location"]))
    assert not Order.objects.filter(purpose="change").exists()


def test_a_change_to_come_is_shown_and_can_be_taken_back(browser: Client, tenant: Tenant) -> None:
    assert "plan will change" in said(press_followed(browser, "free"))
    assert KEEP in overview(browser)
    assert "keep your plan" in said(browser.post(KEEP, follow=True))
    assert KEEP not in overview(browser)
    assert "no change to take back" in said(browser.post(KEEP, follow=True))
    assert plan_of(tenant) == "starter"


def test_a_cheaper_plan_can_be_had_now(browser: Client, tenant: Tenant) -> None:
    page = browser.get(page_of("free"))
    assert 'data-testid="quota-now"' in page.content.decode()
    amount = page.context["now"]["amount"]
    assert amount == 0
    form = {"token": page.context["token"], "amount": amount, "when": "now"}
    assert "You are on Free now." in said(browser.post(page_of("free"), form, follow=True))
    assert plan_of(tenant) == "free"
    assert 'data-testid="quota-now"' not in browser.get(page_of("pro")).content.decode()


def test_a_waiting_order_is_shown_at_what_it_costs_today(browser: Client, tenant: Tenant) -> None:
    shown = browser.get(page_of("pro")).context["offer"]
    press(browser, "pro")
    yesterday = timezone.now().date() - timedelta(days=1)
    Order.objects.filter(purpose="change").update(amount=199_00, starts_on=yesterday)
    assert f": {shown['amount_display']}, if it begins on" in overview(browser)
    services.price_set(
        plan=Plan.objects.get(code="pro"), currency="USD", monthly_fee=249_00, steps={},
        now=timezone.now(),
    )  # fmt: skip
    assert "plan waits for its payment" in overview(browser)
    assert "if it begins on" not in overview(browser)  # at this price it cannot be had any more


def test_a_plan_without_a_fee_tells_of_none(browser: Client) -> None:
    shown = browser.get(page_of("payg")).content.decode()
    assert "first 1,000 requests free, then $0.002 a request" in shown
    assert "The fee of" not in shown
    PriceVersion.objects.filter(plan__code="payg").update(monthly_fee=5_00)
    assert "The fee of $5.00 a month begins on" in browser.get(page_of("payg")).content.decode()


def test_it_says_what_becomes_of_what_was_paid_and_of_a_trial(browser: Client) -> None:
    def said_now() -> tuple[bool, bool]:
        html = browser.get(page_of("free")).content.decode()
        return "What you paid for Starter is not refunded" in html, "Your trial ends now" in html

    assert said_now() == (True, False)
    held = Subscription.objects.filter(state="active")
    held.update(trial_ends_on=timezone.now().date() + timedelta(days=3))
    assert said_now() == (False, True)
    held.update(trial_ends_on=None)
    PriceVersion.objects.filter(plan__code="starter").update(monthly_fee=0)
    assert said_now() == (False, False)


def test_without_a_card_both_ways_to_a_cheaper_plan_say_so(browser: Client) -> None:
    Customer.objects.update(payment_method_id="")
    html = browser.get(page_of("payg")).content.decode()
    assert "Save a card first" in html
    assert html.count(f'action="{reverse("billing-card-add")}"') == 1
    assert "Change plan</button>" not in html
    assert html.count("A card is saved first") == 1


def test_what_cannot_be_had_any_more_tells_of_money_only_where_some_came_in(
    browser: Client,
) -> None:
    order = Order.objects.latest("id")
    back = reverse("billing-checkout-return", args=[order.uuid])

    def told() -> str:
        return browser.get(back).content.decode()

    Order.objects.update(state="refunded")
    assert "You get your money back" in told()
    Order.objects.update(amount=0, payment_intent_id="")
    assert "Nothing was charged" in told()
    assert "money back" not in told()


def test_what_is_too_small_for_a_card_is_said_and_begins_at_once(
    browser: Client, tenant: Tenant
) -> None:
    fee = PriceVersion.objects.get(plan__code="starter", currency="USD").monthly_fee
    PriceVersion.objects.filter(plan__code="pro").update(monthly_fee=fee + 49)
    page = browser.get(page_of("pro"))
    assert 0 < page.context["offer"]["amount"] < 50
    assert 'data-testid="too-small"' in page.content.decode()
    end = browser.get(press(browser, "pro")["Location"], follow=True).content.decode()
    assert "The gateway is told." in end
    assert "Paid" not in end
    assert plan_of(tenant) == "pro"


def press_followed(browser: Client, plan: str) -> Any:
    return browser.get(press(browser, plan)["Location"])


def test_an_order_that_waits_can_be_taken_back(browser: Client) -> None:
    press(browser, "pro")
    browser.post(KEEP)
    assert KEEP not in overview(browser)


def test_only_those_who_may_buy_change_it(browser: Client, tenant: Tenant) -> None:
    bob = User.objects.create_user("bob@example.com", PASSWORD)
    Member.objects.create(tenant=tenant, user=bob, role=Role.DEVELOPER, created_at=timezone.now())
    browser.force_login(bob)
    assert press(browser, "free").status_code == 403
    assert browser.post(KEEP).status_code == 403
    assert not PlanChange.objects.exists()


def test_an_unknown_plan_is_not_there_and_ones_own_is_named(browser: Client) -> None:
    assert browser.get(page_of("gold")).status_code == 404
    answer = browser.get(page_of("starter"), follow=True)
    assert "is your plan already" in said(answer)

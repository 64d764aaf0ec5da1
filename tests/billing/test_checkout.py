"""Coming back to a payment: later, on another day, in another month, after Stripe was away."""

from datetime import timedelta

import httpx
import pytest

from billing import payments, selectors, services
from billing.models import Customer, Invoice, Order, OrderState, Subscription, SubscriptionState
from billing.proof import prove
from billing.services import checkout
from tenants.errors import Refused
from tenants.models import Entitlement, QuotaGrant, Tenant
from tests.billing.conftest import SignUpCall, buy, pay, start, stripe_client, subscribe
from tests.billing.orders import NEXT_DAY, NEXT_MONTH, SIGNED_UP, extension
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


def waiting_order(tenant: Tenant) -> Order | None:
    """Return the order that the overview leads to."""
    pending = selectors.subscription_row(tenant=tenant, now=SIGNED_UP)["pending"]
    assert pending is None or isinstance(pending, Order)
    return pending


class TestFirstMonth:
    def test_the_page_is_the_same_until_it_is_paid(self, first_month: Order) -> None:
        assert start(first_month, now=SIGNED_UP) == start(first_month, now=SIGNED_UP)

    def test_only_cards_which_tell_at_once_are_offered(self, first_month: Order) -> None:
        card = services.card_order(tenant=first_month.tenant, token="", actor=None, now=SIGNED_UP)
        for order, mode in [(first_month, "payment"), (card, "setup")]:
            start(order, now=SIGNED_UP)
            order.refresh_from_db()
            session = stripe_client().v1.checkout.sessions.retrieve(order.checkout_session_id)
            sent = session.to_dict()
            assert (sent["mode"], sent["allowed_payment_method_types"]) == (mode, ["card"])

    def test_on_another_day_it_costs_that_days_share(self, first_month: Order) -> None:
        assert first_month.amount == 677  # 2900 * 7 / 30
        yesterdays = start(first_month, now=SIGNED_UP)
        url = start(first_month, now=NEXT_DAY)
        assert url != yesterdays
        first_month.refresh_from_db()
        assert first_month.amount == 580  # 2900 * 6 / 30
        assert httpx.get(yesterdays).status_code == httpx.codes.GONE
        pay(url)
        order = services.order_check(order=first_month, now=NEXT_DAY)
        assert order.state == OrderState.FULFILLED
        assert Invoice.objects.get().total == 580

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_dying_around_the_end_of_yesterdays_offer_leaves_one_to_pay(
        self, first_month: Order, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        start(first_month, now=SIGNED_UP)
        real = payments.checkout_expire

        def dying(*, session_id: str) -> None:
            if when == "after":
                real(session_id=session_id)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(payments, "checkout_expire", dying)
            with pytest.raises(KeyboardInterrupt):
                start(first_month, now=NEXT_DAY)
        buy(first_month, now=NEXT_DAY)
        checkout.orders_sweep(clock=lambda: NEXT_DAY)
        first_month.refresh_from_db()
        assert (first_month.state, first_month.amount) == (OrderState.FULFILLED, 580)
        customer = Customer.objects.get().stripe_id
        charges = stripe_client().v1.charges.list({"customer": customer})
        assert [charge.amount for charge in charges] == [580]

    def test_paid_after_midnight_its_quota_is_that_of_the_days_paid(
        self, first_month: Order
    ) -> None:
        buy(first_month, now=SIGNED_UP)
        services.order_check(order=first_month, now=NEXT_DAY)
        entitlement = Entitlement.objects.get()
        assert entitlement.requests == 2_333  # 10,000 * 7 / 30
        services.order_check(order=first_month, now=NEXT_DAY)
        entitlement.refresh_from_db()
        assert entitlement.requests == 2_333

    def test_a_card_saved_in_the_next_month_begins_what_has_no_fee(
        self, sign_up: SignUpCall
    ) -> None:
        order = sign_up("payg", now=SIGNED_UP).order
        assert order is not None
        start(order, now=SIGNED_UP)
        buy(order, now=NEXT_MONTH)
        services.order_check(order=order, now=NEXT_MONTH)
        begun = Subscription.objects.get(plan__code="payg")
        assert (begun.state, begun.starts_on) == (SubscriptionState.ACTIVE, NEXT_MONTH.date())
        assert not Invoice.objects.exists()

    def test_expired_it_can_still_be_had(self, first_month: Order) -> None:
        start(first_month, now=SIGNED_UP)
        first_month.refresh_from_db()
        payments.checkout_expire(session_id=first_month.checkout_session_id)
        assert services.order_check(order=first_month, now=NEXT_DAY).state == OrderState.EXPIRED
        assert waiting_order(first_month.tenant) == first_month
        buy(first_month, now=NEXT_DAY)
        checkout.orders_sweep(clock=lambda: NEXT_DAY)  # no webhook, nobody comes back to the page
        assert Subscription.objects.get(plan__code="starter").state == SubscriptionState.ACTIVE

    def test_forgotten_before_checkout_it_can_still_be_had(self, first_month: Order) -> None:
        later = SIGNED_UP + timedelta(days=2)
        checkout.orders_sweep(clock=lambda: later)
        first_month.refresh_from_db()
        assert first_month.state == OrderState.EXPIRED
        buy(first_month, now=later)
        checkout.orders_sweep(clock=lambda: later)
        first_month.refresh_from_db()
        assert first_month.state == OrderState.FULFILLED

    def test_paid_in_the_next_month_it_is_paid_back_and_offered_anew(
        self, first_month: Order, run_tasks: RunTasks
    ) -> None:
        tenant = first_month.tenant
        buy(first_month, now=SIGNED_UP)
        services.order_check(order=first_month, now=NEXT_MONTH)
        run_tasks("default")
        first_month.refresh_from_db()
        assert first_month.state == OrderState.REFUNDED
        tenant.refresh_from_db()
        assert tenant.usage_plan.code == "free"
        offered = waiting_order(tenant)
        assert offered is not None
        assert offered.amount == 2806  # 2900 * 30 / 31
        buy(offered, now=NEXT_MONTH)
        services.order_check(order=offered, now=NEXT_MONTH)
        tenant.refresh_from_db()
        assert tenant.usage_plan.code == "starter"
        assert waiting_order(tenant) is None
        assert Invoice.objects.get().total == 2806


class TestPack:
    def test_of_a_period_that_is_over_is_not_brought_to_checkout(self, sign_up: SignUpCall) -> None:
        order = extension(sign_up("free", now=SIGNED_UP).tenant)
        url = start(order, now=SIGNED_UP)
        with pytest.raises(Refused, match="choose again"):
            start(order, now=NEXT_MONTH)
        assert httpx.get(url).status_code == httpx.codes.GONE
        assert services.order_check(order=order, now=NEXT_MONTH).state == OrderState.EXPIRED

    def test_on_a_plan_that_takes_none_it_is_withdrawn_and_its_page_closed(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        tenant = subscribe(sign_up)
        shown, paid = (extension(tenant, form=form) for form in ("1", "2"))
        url = start(shown, now=SIGNED_UP)
        buy(paid, now=SIGNED_UP)  # no webhook has come
        services.plan_change(
            tenant=tenant, plan_code="payg", shown=0, token="", actor=None, now=SIGNED_UP,
            at_once=True,
        )  # fmt: skip
        run_tasks("default")
        assert httpx.get(url).status_code == httpx.codes.GONE
        with pytest.raises(Refused, match="no quota to extend"):
            start(shown, now=SIGNED_UP)
        states = [Order.objects.get(pk=order.pk).state for order in (shown, paid)]
        assert states == [OrderState.EXPIRED, OrderState.REFUNDED]
        assert not QuotaGrant.objects.exists()
        assert prove().is_proved

    def test_paid_it_leads_nowhere(self, sign_up: SignUpCall) -> None:
        order = buy(extension(sign_up("free", now=SIGNED_UP).tenant), now=SIGNED_UP)
        assert start(order, now=SIGNED_UP) == ""
        assert start(order, now=SIGNED_UP) == ""
        assert QuotaGrant.objects.get().requests == 100


class TestSweep:
    def test_no_order_waits_for_ever_behind_another(self, sign_up: SignUpCall) -> None:
        tenant = sign_up("free", now=SIGNED_UP).tenant
        abandoned, paid = (extension(tenant, form=form) for form in ("1", "2"))
        start(abandoned, now=SIGNED_UP)
        buy(paid, now=SIGNED_UP)
        for _ in range(2):
            checkout.orders_sweep(clock=lambda: SIGNED_UP + timedelta(minutes=1), limit=1)
        paid.refresh_from_db()
        assert paid.state == OrderState.FULFILLED

    def test_an_abandoned_one_is_asked_about_less_and_less(self, sign_up: SignUpCall) -> None:
        start(extension(sign_up("free", now=SIGNED_UP).tenant), now=SIGNED_UP)
        later = SIGNED_UP + timedelta(hours=2)

        def asked(minutes: int) -> int:
            return checkout.orders_sweep(clock=lambda: later + timedelta(minutes=minutes))

        assert [asked(minutes) for minutes in (0, 1, 9, 11)] == [1, 0, 0, 1]

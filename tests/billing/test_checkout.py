"""Coming back to a payment: later, on another day, in another month, after Stripe was away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from billing import payments, selectors, services
from billing.models import (
    Customer,
    EventStatus,
    Invoice,
    Order,
    OrderState,
    StripeEvent,
    Subscription,
    SubscriptionState,
)
from billing.proof import prove
from billing.services import checkout
from billing.services.fulfilment import order_settle
from billing.services.order_refunds import order_refund_settle
from tenants.errors import Refused
from tenants.models import Entitlement, QuotaGrant, Tenant
from tests.billing.books import balances
from tests.billing.conftest import (
    BACK,
    SignUpCall,
    becomes,
    buy,
    deliver,
    events,
    pay,
    start,
    stripe_client,
    subscribe,
)
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)

SIGNED_UP = datetime(2026, 11, 24, 12, tzinfo=UTC)  # 7 of 30 days are left, today included
NEXT_DAY = SIGNED_UP + timedelta(days=1)
NEXT_MONTH = datetime(2026, 12, 2, 12, tzinfo=UTC)  # 30 of 31


@pytest.fixture
def first_month(sign_up: SignUpCall) -> Order:
    order = sign_up("starter", now=SIGNED_UP).order
    assert order is not None
    return order


def extension(tenant: Tenant, *, form: str = "1", now: datetime = SIGNED_UP) -> Order:
    return services.extension_order(
        tenant=tenant, pack_code="extra-100", token=form, actor=None, now=now
    )


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


class TestRefund:
    @pytest.fixture
    def due(self, sign_up: SignUpCall) -> Order:
        order = buy(extension(sign_up("free", now=SIGNED_UP).tenant), now=SIGNED_UP)
        order = services.order_check(order=order, now=NEXT_MONTH)
        assert order.state == OrderState.REFUND_DUE
        return order

    def refunds(self, order: Order) -> list[tuple[str, int]]:
        listed = stripe_client().v1.refunds.list({"payment_intent": order.payment_intent_id})
        return [(refund.id, refund.amount) for refund in listed]

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_dying_around_it_pays_back_once(
        self, due: Order, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        real = payments.refund_create

        def dying(**parameters: Any) -> None:
            if when == "after":
                real(**parameters)
            raise KeyboardInterrupt

        monkeypatch.setattr(payments, "refund_create", dying)
        with pytest.raises(KeyboardInterrupt):
            services.order_refund(order=due, now=NEXT_MONTH)
        monkeypatch.setattr(payments, "refund_create", real)
        checkout.orders_sweep(clock=lambda: NEXT_MONTH)
        due.refresh_from_db()
        assert due.state == OrderState.REFUNDED
        assert self.refunds(due) == [(due.refund_id, 100)]

    def test_it_is_done_once_stripe_says_so(
        self, due: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = payments.refund_create
        with monkeypatch.context() as patched:
            patched.setattr(
                payments, "refund_create", lambda **p: replace(real(**p), status="pending")
            )
            due = services.order_refund(order=due, now=NEXT_MONTH)
        ((refund_id, _amount),) = self.refunds(due)
        assert (due.state, due.refund_id) == (OrderState.REFUND_DUE, refund_id)
        assert balances() == {"held": -1_00, "stripe": 1_00}
        assert prove().is_proved
        told = StripeEvent.objects.create(
            event_id="evt_1", type="refund.updated", object_id=refund_id, received_at=NEXT_MONTH
        )
        for _ in range(2):
            assert services.event_process(event=told, now=NEXT_MONTH) == EventStatus.PROCESSED
        due.refresh_from_db()
        assert (due.state, due.refund_id) == (OrderState.REFUNDED, refund_id)
        assert balances() == {}
        assert prove().is_proved

    def test_one_that_failed_stays_held_and_says_why_until_it_is_made_anew(
        self, due: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed = payments.StripeRefund("re_1", "failed", 100, {}, "lost_or_stolen_card", "", "")
        with monkeypatch.context() as patched:
            patched.setattr(payments, "refund_create", lambda **_: failed)
            patched.setattr(payments, "refunds_of_intent", lambda **_: [failed])
            for _ in range(2):
                checkout.orders_sweep(clock=lambda: NEXT_MONTH)
        due.refresh_from_db()
        assert (due.state, due.refund_id) == (OrderState.REFUND_DUE, "re_1")
        assert due.decline_message == "The refund failed: lost_or_stolen_card"
        assert balances() == {"held": -1_00, "stripe": 1_00}
        anew = stripe_client().v1.refunds.create({"payment_intent": due.payment_intent_id})
        checkout.orders_sweep(clock=lambda: NEXT_MONTH)
        due.refresh_from_db()
        assert (due.state, due.refund_id) == (OrderState.REFUNDED, anew.id)
        assert (due.decline_message, balances()) == ("", {})

    def test_one_that_stripe_refuses_says_why_and_is_asked_for_less_and_less(
        self, due: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked_at: list[int] = []

        def sweep(minute: int) -> None:
            def refusing(**_parameters: Any) -> None:
                asked_at.append(minute)
                raise payments.PaymentRefused("The charge is disputed.", code="charge_disputed")

            with monkeypatch.context() as patched:
                patched.setattr(payments, "refund_create", refusing)
                checkout.orders_sweep(clock=lambda: NEXT_MONTH + timedelta(minutes=minute))

        for minute in (1, 2, 61, 65, 72):
            sweep(minute)
        assert asked_at == [1, 2, 61, 72]
        due.refresh_from_db()
        assert due.state == OrderState.REFUND_DUE
        assert due.decline_message == "Stripe refused the refund: The charge is disputed."
        checkout.orders_sweep(clock=lambda: NEXT_MONTH + timedelta(hours=2))
        due.refresh_from_db()
        assert (due.state, due.decline_message) == (OrderState.REFUNDED, "")

    def test_one_that_a_bank_sends_back_later_is_due_again_and_held(
        self, due: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        due = services.order_refund(order=due, now=NEXT_MONTH)
        failed = payments.StripeRefund(due.refund_id, "failed", 100, {}, "unknown", "", "")
        for _ in range(2):
            order_refund_settle(order=due, told=failed, others=[], now=NEXT_MONTH)
        due.refresh_from_db()
        again = Order.objects.get(state=OrderState.REFUND_DUE)
        assert due.state == OrderState.REFUNDED
        assert again.decline_message == "The refund failed: unknown"
        assert balances() == {"held": -1_00, "stripe": 1_00}
        assert prove().is_proved
        with monkeypatch.context() as patched:  # nobody makes it anew by itself
            patched.setattr(payments, "refunds_of_intent", lambda **_: [failed])
            checkout.orders_sweep(clock=lambda: NEXT_MONTH)
        assert balances() == {"held": -1_00, "stripe": 1_00}
        anew = payments.StripeRefund("re_2", "succeeded", 100, {}, "", "", "")
        order_refund_settle(order=again, told=anew, others=[failed], now=NEXT_MONTH)
        assert balances() == {}
        assert prove().is_proved

    def test_refunds_of_parts_settle_it_once_they_are_all_of_it(
        self, due: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed = payments.StripeRefund(
            "re_1", "failed", 100, {}, "expired_or_canceled_card", "", ""
        )
        with monkeypatch.context() as patched:
            patched.setattr(payments, "refund_create", lambda **_: failed)
            due = services.order_refund(order=due, now=NEXT_MONTH)

        def by_hand(amount: int) -> str:
            asked = {"payment_intent": due.payment_intent_id, "amount": amount}
            refund = stripe_client().v1.refunds.create(asked)  # type: ignore[arg-type]  # a plain dict
            checkout.orders_sweep(clock=lambda: NEXT_MONTH)
            due.refresh_from_db()
            return refund.id

        by_hand(30)
        assert due.state == OrderState.REFUND_DUE
        assert due.decline_message == "Still to be paid back: $0.70."
        assert balances() == {"held": -1_00, "stripe": 1_00}
        assert prove().is_proved
        last = by_hand(70)
        assert (due.state, due.decline_message, balances()) == (OrderState.REFUNDED, "", {})
        # A bank sends the last part back: only that is due again.
        sent_back = payments.StripeRefund(last, "failed", 70, {}, "unknown", "", "")
        first = payments.StripeRefund("re_2", "succeeded", 30, {}, "", "", "")
        for _ in range(2):
            order_refund_settle(order=due, told=sent_back, others=[first], now=NEXT_MONTH)
        again = Order.objects.get(state=OrderState.REFUND_DUE)
        again = order_refund_settle(order=again, told=first, others=[sent_back], now=NEXT_MONTH)
        assert (again.state, again.amount) == (OrderState.REFUND_DUE, 70)
        assert balances() == {"held": -70, "stripe": 70}
        assert prove().is_proved

    def test_an_older_part_that_a_bank_sends_back_is_due_again(self, due: Order) -> None:
        intent_id = due.payment_intent_id
        older, newer = (
            stripe_client().v1.refunds.create({"payment_intent": intent_id, "amount": amount}).id
            for amount in (30, 70)
        )
        due = services.order_refund(order=due, now=NEXT_MONTH)
        assert (due.state, due.refund_id, balances()) == (OrderState.REFUNDED, newer, {})
        for sent_back, owed in ((older, [30]), (newer, [30, 70])):
            becomes(sent_back, "failed")
            (told,) = [
                event
                for event in events()
                if event.type == "refund.failed"
                and event.to_dict()["data"]["object"]["id"] == sent_back
            ]
            deliver(told)
            for _ in range(2):
                services.event_process(
                    event=StripeEvent.objects.get(object_id=sent_back), now=NEXT_MONTH
                )
            again = Order.objects.filter(state=OrderState.REFUND_DUE)
            assert sorted(again.values_list("amount", flat=True)) == owed
            assert balances() == {"held": -sum(owed), "stripe": sum(owed)}
            assert prove().is_proved
        stripe_client().v1.refunds.create({"payment_intent": intent_id})  # an operator, by hand
        checkout.orders_sweep(clock=lambda: NEXT_MONTH)
        assert not Order.objects.filter(state=OrderState.REFUND_DUE).exists()
        assert balances() == {}
        assert prove().is_proved

    def test_an_operator_who_was_faster_is_fine(self, due: Order) -> None:
        refund = stripe_client().v1.refunds.create({"payment_intent": due.payment_intent_id})
        services.order_refund(order=due, now=NEXT_MONTH)
        due.refresh_from_db()
        assert (due.state, due.refund_id) == (OrderState.REFUNDED, refund.id)


class TestTwice:
    """Stripe took money for one order twice, whoever is to blame."""

    def second(self, order: Order) -> str:
        """Have another session paid that says it is the order's; return its id."""
        session = payments.checkout_create(
            reference=str(order.uuid), metadata={"order": str(order.uuid)}, locale="en",
            idempotency_key="another", customer_id=Customer.objects.get().stripe_id,
            description=order.description, currency=order.currency, amount=order.amount,
            success_url=BACK, cancel_url=BACK,
        )  # fmt: skip
        pay(session.url)
        return session.id

    def test_a_second_payment_is_booked_and_paid_back(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        order = buy(extension(sign_up("free", now=SIGNED_UP).tenant), now=SIGNED_UP)
        services.order_check(order=order, now=SIGNED_UP)
        checkout_of_it = payments.checkout_get(session_id=self.second(order))
        for _ in range(2):
            order_settle(order=order, checkout=checkout_of_it, now=SIGNED_UP)
        assert balances() == {"held": -1_00, "revenue": -1_00, "stripe": 2_00}
        assert prove().is_proved
        run_tasks("default")
        order_settle(order=order, checkout=checkout_of_it, now=SIGNED_UP)
        assert QuotaGrant.objects.get().requests == 100
        assert balances() == {"revenue": -1_00, "stripe": 1_00}
        assert prove().is_proved
        charges = stripe_client().v1.charges.list({"customer": Customer.objects.get().stripe_id})
        assert [charge.refunded for charge in charges] == [True, False]

    def test_another_amount_than_agreed_goes_back_as_it_came(
        self, first_month: Order, run_tasks: RunTasks
    ) -> None:
        buy(first_month, now=SIGNED_UP)
        Order.objects.filter(pk=first_month.pk).update(amount=580)
        services.order_check(order=first_month, now=SIGNED_UP)
        assert balances() == {"held": -6_77, "stripe": 6_77}
        assert prove().is_proved
        run_tasks("default")
        assert balances() == {}
        assert prove().is_proved

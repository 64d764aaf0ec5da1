"""Orders whose money goes back: too late to deliver, paid twice, or over another amount."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing import payments, services
from billing.models import Customer, EventStatus, Order, OrderState, StripeEvent
from billing.proof import prove
from billing.services import checkout
from billing.services.fulfilment import order_settle
from billing.services.order_refunds import order_refund_settle
from tenants.models import QuotaGrant
from tests.billing.books import balances
from tests.billing.conftest import (
    BACK,
    SignUpCall,
    becomes,
    buy,
    deliver,
    events,
    pay,
    stripe_client,
)
from tests.billing.orders import NEXT_MONTH, SIGNED_UP, extension
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


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

"""Stripe's events: hints, stored once, whatever they are about."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import payments, services
from billing.models import EventStatus, Order, OrderState, StripeEvent
from billing.services import events as services_events
from billing.tasks import event_process, events_sweep
from tests.billing.conftest import DECLINED, SignUpCall, buy, deliver, events_of, stripe_client
from tests.billing.orders import extension
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


def event(kind: str, object_id: str) -> StripeEvent:
    return StripeEvent.objects.create(
        event_id=f"evt_{kind}_{object_id}",
        type=kind,
        object_id=object_id,
        received_at=timezone.now(),
    )


@pytest.fixture
def order(sign_up: SignUpCall) -> Order:
    return extension(sign_up("free").tenant, now=timezone.now())


def test_a_session_whose_id_we_never_noted_is_found_by_its_order(
    order: Order, run_tasks: RunTasks
) -> None:
    buy(order)
    Order.objects.filter(pk=order.pk).update(checkout_session_id="")
    for sent in events_of(order):
        deliver(sent)
    run_tasks("default")
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED


def test_a_decline_is_noted_in_the_banks_words(order: Order, run_tasks: RunTasks) -> None:
    buy(order, DECLINED)
    failed = [sent for sent in events_of(order) if sent.type == "payment_intent.payment_failed"]
    assert len(failed) == 1
    deliver(failed[0])
    run_tasks("default")
    order.refresh_from_db()
    assert (order.state, order.decline_code) == (OrderState.PENDING, "generic_decline")
    assert order.decline_message == "Your card was declined."


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"order": "A-17"},
        {"invoice": "INV-2026-1"},
        {"invoice": "7f7f3c7e-5a1e-4a57-8f0e-2f5d1d5f0a11", "attempt": "first"},
        {"invoice": "7f7f3c7e-5a1e-4a57-8f0e-2f5d1d5f0a11", "attempt": "1"},
    ],
)
def test_what_others_do_with_the_account_is_ignored(shop: None, metadata: dict[str, str]) -> None:
    client = stripe_client()
    theirs = client.v1.payment_intents.create(
        {"amount": 500, "currency": "usd", "metadata": metadata}
    )
    session = client.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "currency": "usd",
            "client_reference_id": metadata.get("order", "B-2"),
            "success_url": "http://localhost:8000/",
        }
    )
    for kind, object_id in (
        ("payment_intent.created", theirs.id),
        ("checkout.session.completed", session.id),
        ("invoice.paid", "in_1"),
    ):
        found = services.event_process(event=event(kind, object_id), now=timezone.now())
        assert found == EventStatus.IGNORED


class TestSweep:
    def test_what_may_succeed_later_is_taken_again(
        self, order: Order, monkeypatch: pytest.MonkeyPatch, run_tasks: RunTasks
    ) -> None:
        buy(order)
        hint = event("checkout.session.completed", order.checkout_session_id)

        def away(**_parameters: object) -> None:
            raise payments.PaymentUnavailable("get checkout session: no answer")

        with monkeypatch.context() as patched:
            patched.setattr(payments, "checkout_get", away)
            event_process(hint.pk)
        hint.refresh_from_db()
        assert (hint.status, hint.error) == (
            EventStatus.RECEIVED, "get checkout session: no answer"
        )  # fmt: skip
        events_sweep()
        run_tasks("default")
        hint.refresh_from_db()
        assert (hint.status, hint.error) == (EventStatus.PROCESSED, "")
        order.refresh_from_db()
        assert order.state == OrderState.FULFILLED

    def test_what_stripe_refuses_is_left_to_the_operator(self, shop: None) -> None:
        hint = event("checkout.session.completed", "cs_test_gone")
        event_process(hint.pk)
        hint.refresh_from_db()
        assert hint.status == EventStatus.FAILED
        assert "cs_test_gone" in hint.error
        assert services_events.events_waiting(now=timezone.now()) == []

    def test_the_newest_come_first_and_the_oldest_are_given_up(self, shop: None) -> None:
        first, second = event("a", "1"), event("b", "2")
        now = timezone.now()
        assert services_events.events_waiting(now=now, limit=1) == [second]
        assert services_events.events_waiting(now=now) == [second, first]
        assert services_events.events_waiting(now=now + timedelta(days=4)) == []

    def test_what_was_dealt_with_is_not_read_again(self, explained: Callable[[str], str]) -> None:
        now = timezone.now()
        with CaptureQueriesContext(connection) as queries:
            services_events.events_waiting(now=now)
            list(services_events.events_failed(now=now).order_by("-id")[:20])
        for query in queries.captured_queries:
            plan = explained(query["sql"])
            assert "event_left" in plan
            assert not any(word in plan.lower() for word in ("temp b-tree", "sort", "seq scan"))

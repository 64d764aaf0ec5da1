"""Events that never arrived are found in Stripe's own list, and processed as any other."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from billing import payments
from billing.models import (
    EventSource,
    EventStatus,
    Order,
    OrderState,
    StripeCursor,
    StripeEvent,
    StripeList,
)
from billing.payments import Event
from billing.services import missed_events, stripe_lists
from billing.services.cursors import cursor_move, cursor_reached
from billing.services.missed_events import EventsRun, events_fetch
from billing.tasks import event_process, events_sweep
from tests.billing.conftest import SignUpCall, buy, deliver, events_of
from tests.billing.orders import extension
from tests.conftest import RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def order(sign_up: SignUpCall) -> Order:
    """A pack that is paid, and of which no webhook has come."""
    return buy(extension(sign_up("free").tenant, now=timezone.now()))


def fetch(order: Order, *, days: float = 1, dry_run: bool = False) -> tuple[EventsRun, set[str]]:
    """Fetch so many days after; return the run, and the types of the order's that it has stored."""
    now = timezone.now() + timedelta(days=days)
    run = events_fetch(now=now, dry_run=dry_run)
    mine = [event.id for event in events_of(order)]
    found = StripeEvent.objects.filter(source=EventSource.SWEEP, event_id__in=mine)
    return run, set(found.values_list("type", flat=True))


def test_what_never_arrived_is_stored_once_and_processed(order: Order, run_tasks: RunTasks) -> None:
    arrived, *_others = [
        event for event in events_of(order) if event.type == "payment_intent.succeeded"
    ]
    deliver(arrived)
    run, mine = fetch(order, dry_run=True)
    assert (run.missed, mine) == (run.read - 1, set())
    assert not StripeCursor.objects.exists()
    assert fetch(order)[1] == {"checkout.session.completed"}
    found = StripeEvent.objects.get(object_id=order.checkout_session_id)
    assert (found.source, found.status) == (EventSource.SWEEP, EventStatus.RECEIVED)
    assert StripeEvent.objects.get(event_id=arrived.id).source == EventSource.WEBHOOK
    StripeEvent.objects.filter(source=EventSource.SWEEP).exclude(pk=found.pk).delete()  # others'
    events_sweep()
    run_tasks("default")
    found.refresh_from_db()
    order.refresh_from_db()
    assert (found.status, order.state) == (EventStatus.PROCESSED, OrderState.FULFILLED)
    deliver(next(event for event in events_of(order) if event.id == found.event_id))
    event_process(found.pk)
    assert StripeEvent.objects.filter(event_id=found.event_id).count() == 1


def test_a_run_that_dies_is_done_again(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_lists, "PAGE", 1)
    fetch_from = timezone.now() - timedelta(days=3)
    cursor_move(StripeList.EVENTS, fetch_from)
    real = payments.events_between

    def dying(**asked: object) -> Iterator[Event]:
        yield next(real(**asked))  # type: ignore[arg-type]  # as it was asked
        raise payments.PaymentUnavailable("list events: no answer")

    with monkeypatch.context() as patched:
        patched.setattr(payments, "events_between", dying)
        with pytest.raises(payments.PaymentUnavailable):
            fetch(order)
    assert StripeEvent.objects.count() == 1
    assert cursor_reached(StripeList.EVENTS) == fetch_from
    run, _mine = fetch(order)
    assert run.missed == run.read - 1 == StripeEvent.objects.count() - 1
    assert fetch(order)[0].missed == 0


def test_an_outage_is_caught_up_with_for_30_days(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missed_events, "FIRST", 1)
    monkeypatch.setattr(stripe_lists, "PAGE", 1)
    cursor_move(StripeList.EVENTS, timezone.now() - timedelta(days=7))
    run, mine = fetch(order, days=1)
    assert (run.gap, mine) == (None, {"checkout.session.completed", "payment_intent.succeeded"})
    assert len(run.first) == 1 < run.missed
    reached = cursor_reached(StripeList.EVENTS)
    assert reached is not None
    cursor_move(StripeList.EVENTS, reached - timedelta(days=1))  # another run, that came late
    assert cursor_reached(StripeList.EVENTS) == reached
    later, _mine = fetch(order, days=40)
    assert later.gap is not None
    since, until = later.gap
    assert since == reached
    assert abs(until - timezone.now() - timedelta(days=10)) < timedelta(minutes=1)

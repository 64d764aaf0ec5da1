"""What beat runs, each job by itself, and all of them until nothing is left to do."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from billing import payments, services
from billing.models import Customer, EventStatus, StripeEvent
from billing.services import (
    cards,
    checkout,
    events,
    loose_attempts,
    refunds,
    taking_back,
    trials,
)
from billing.services.collect import attempt_end
from tenants.services import closing
from tests.billing.simulation.caps import caps_sweep
from tests.billing.simulation.checks import check_credit
from tests.billing.simulation.world import VISA, Draw, World

NOTHING = Draw(0)


def changes_apply(world: World, draw: Draw) -> None:
    assert services.changes_apply(now=world.now).failed == {}


def close_month(world: World, draw: Draw) -> None:
    assert services.close_month(now=world.now).failed == {}


def months_correct(world: World, draw: Draw) -> None:
    services.months_correct(now=world.now)


def collect(world: World, draw: Draw) -> None:
    services.collect(now=world.now)


def dun(world: World, draw: Draw) -> None:
    services.dun(now=world.now)


def orders_sweep(world: World, draw: Draw) -> None:
    checkout.orders_sweep(clock=lambda: world.now)


def refunds_sweep(world: World, draw: Draw) -> None:
    for refund in refunds.refunds_waiting():
        with suppress(payments.PaymentError):
            refunds.refund_send(refund=refund, now=world.now)


def events_sweep(world: World, draw: Draw) -> None:
    for event in events.events_waiting(now=world.now):
        with suppress(payments.PaymentError):
            services.event_process(event=event, now=world.now)


def attempts_sweep(world: World, draw: Draw) -> None:
    for payment in loose_attempts.attempts_loose():
        with suppress(payments.PaymentError):
            attempt_end(payment=payment, now=world.now)


def reconcile(world: World, draw: Draw) -> None:
    """Compare with Stripe. Where that is struck it goes on the next time."""
    world.is_fetched = False
    found = [one for one in services.reconcile(now=world.now) if one.is_difference]
    world.differences = [f"{one.part}: {one.words.english}" for one in found]
    world.is_fetched = all(one.part != "balance" for one in found)
    if not found:
        check_credit(world)
        world.is_proved = True


def top_up(world: World, draw: Draw) -> None:
    services.top_ups_run(clock=lambda: world.now)


def packs_take_back(world: World, draw: Draw) -> None:
    taking_back.taking_back_run(now=world.now)


def periods_close(world: World, draw: Draw) -> None:
    closing.periods_close(now=world.now)


def cards_sweep(world: World, draw: Draw) -> None:
    cards.cards_detach()
    cards.cards_expiring_tell(now=world.now)
    trials.trials_announce(now=world.now)


JOBS = (
    changes_apply, close_month, collect, orders_sweep, months_correct, dun, top_up,
    attempts_sweep, packs_take_back, refunds_sweep, events_sweep, periods_close, cards_sweep,
    caps_sweep, reconcile,
)  # fmt: skip


def run(world: World, draw: Draw) -> None:
    """Run every job once, after the gateway was asked."""
    world.read()
    for job in JOBS:
        job(world, draw)


ALL = (*JOBS, run)


def rest(world: World) -> None:
    """Bring everything to an end: cards are good, nothing is lost, and time passes."""
    Customer.objects.update(payment_method_id=VISA)
    _settle(world)
    month_end = (world.today.replace(day=1) + timedelta(days=31)).replace(day=1)
    world.wait(datetime.combine(month_end, datetime.min.time(), UTC) - world.now)
    run(world, NOTHING)
    world.wait(timedelta(hours=25))
    _settle(world)


def _settle(world: World) -> None:
    """Run everything until nothing changes any more; operators replay what was given up."""
    for _again in range(3):
        world.wait(timedelta(hours=7))
        run(world, NOTHING)
        for event in StripeEvent.objects.filter(
            status__in=[EventStatus.RECEIVED, EventStatus.FAILED]
        ):
            services.event_process(event=event, now=world.now)
    reconcile(world, NOTHING)

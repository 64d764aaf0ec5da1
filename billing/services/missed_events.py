"""Stripe's events that never arrived: its own list of them is read, and what we lack is stored.

They are processed as any other. Stripe keeps events for 30 days
(https://docs.stripe.com/api/events): after a longer outage the run says which time is lost.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from billing import payments
from billing.models import EventSource, StripeEvent, StripeList
from billing.payments import Event
from billing.services.cursors import cursor_move, cursor_reached
from billing.services.events import HANDLED
from billing.services.stripe_lists import missing_store

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
OVERLAP = timedelta(days=1)  # an event may be listed later than it was made
ON_ITS_WAY = timedelta(hours=1)  # what is younger may still arrive by itself
FIRST = 20  # the most that a run tells of one by one: after an outage they may be millions


@dataclass
class EventsRun:
    """What a run read of Stripe's list, and how much of it we had not got: `first` are the first.

    `gap` is the time of which Stripe keeps no events any more, from and until, where there is one.
    """

    read: int = 0
    missed: int = 0
    first: list[Event] = field(default_factory=list)
    gap: tuple[datetime, datetime] | None = None


def events_fetch(
    *, now: datetime, dry_run: bool = False, progress: Callable[[int], None] = lambda read: None
) -> EventsRun:
    """Store the events that never arrived since this was done last. Raise PaymentError.

    `progress` is told how many were read so far.
    """
    reached, oldest, until = cursor_reached(StripeList.EVENTS), now - KEPT, now - ON_ITS_WAY
    run = EventsRun()
    if reached is not None and reached < oldest:
        run.gap = (reached, oldest)
        log.error("events.gap", since=reached.isoformat(), until=oldest.isoformat())
    since = max(reached - OVERLAP, oldest) if reached else oldest
    events = payments.events_between(types=HANDLED, since=since, until=until)
    for run.read, missed in missing_store(
        events,
        rows=StripeEvent.objects.all(),
        key="event_id",
        row=lambda event: _row(event, now),
        dry_run=dry_run,
        progress=progress,
    ):
        run.missed += len(missed)
        run.first += missed[: FIRST - len(run.first)]
    if not dry_run:
        cursor_move(StripeList.EVENTS, until)
    return run


def _row(event: Event, now: datetime) -> StripeEvent:
    """Return an event as found by the sweep, which has it processed."""
    return StripeEvent(
        event_id=event.id,
        type=event.type,
        object_id=event.object_id,
        source=EventSource.SWEEP,
        received_at=now,
    )

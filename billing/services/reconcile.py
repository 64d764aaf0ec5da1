"""Compare with Stripe: fetch what never arrived, book the balance, look at disputes, prove it all.

The balance makes payments known that no event told of, and disputes may be of those.

Each part is idempotent, and goes on from where it was; one that fails stops no other. So a run may
come twice, beside another, late, or die: the next one does what is left.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from django.db.models import Q
from django.utils import timezone

from billing.models import EventStatus, Reconciliation, StripeEvent
from billing.money import display
from billing.proof import prove
from billing.services.balance import balance_fetch
from billing.services.disputes import disputes_fetch
from billing.services.events import GIVE_UP_AFTER
from billing.services.missed_events import events_fetch

log = structlog.get_logger(__name__)

Progress = Callable[[int], None]
_SHOWN = 20  # ids of each kind


@dataclass(frozen=True)
class Finding:
    """A line of what was found; a difference is for an operator to look at."""

    part: str
    text: str
    is_difference: bool = False


def reconcile(
    *, now: datetime, dry_run: bool = False, progress: Progress = lambda read: None
) -> list[Finding]:
    """Compare with Stripe; return what was found, and keep it. In a dry run nothing is written.

    `progress` is told how many of Stripe's rows a part has read so far.
    """
    row = None if dry_run else Reconciliation.objects.create(started_at=now)
    found: list[Finding] = []
    parts = {"events": _events, "balance": _balance, "disputes": _disputes, "proof": _proof}
    for name, part in parts.items():
        try:
            for text, is_difference in part(now, dry_run, progress):
                found.append(Finding(name, text, is_difference))
        except Exception as error:
            log.exception("reconcile.part_failed", part=name)
            found.append(Finding(name, f"failed: {error}", is_difference=True))
    differences = [one for one in found if one.is_difference]
    for one in differences:
        log.error("reconcile.difference", part=one.part, text=one.text)
    if row is not None:
        row.finished_at, row.differences = timezone.now(), len(differences)
        row.findings = [asdict(one) for one in found]
        row.save(update_fields=["finished_at", "differences", "findings"])
    return found


Lines = Iterator[tuple[str, bool]]


def _events(now: datetime, dry_run: bool, progress: Progress) -> Lines:
    run = events_fetch(now=now, dry_run=dry_run, progress=progress)
    yield f"{run.read} events read, {len(run.missed)} had never arrived", False
    for event in run.missed[:_SHOWN]:
        yield f"never arrived: {event.type} {event.id}", False
    if run.gap:
        since, until = run.gap
        text = f"Stripe keeps no events from {since:%F %R} to {until:%F %R} UTC any more"
        yield f"{text}: what moved money then is found by the balance", True
    given_up = StripeEvent.objects.filter(
        Q(status=EventStatus.FAILED)
        | Q(status=EventStatus.RECEIVED, received_at__lte=now - GIVE_UP_AFTER)
    )
    for stored in given_up.order_by("-id")[:_SHOWN]:
        yield f"not processed: {stored}", True


def _balance(now: datetime, dry_run: bool, progress: Progress) -> Lines:
    run = balance_fetch(now=now, dry_run=dry_run, progress=progress)
    counts = f"{run.fetched} new, {run.booked} booked, {run.looked_up} looked up"
    yield f"balance transactions: {counts}", False
    for stripe_id, reason in run.failed.items():
        yield f"{stripe_id}: {reason}", True


def _disputes(now: datetime, dry_run: bool, progress: Progress) -> Lines:
    run = disputes_fetch(now=now, dry_run=dry_run)
    yield f"{len(run.news)} disputes with news", False
    for dispute in run.news[:_SHOWN]:
        amount = display(dispute.amount, dispute.currency, language="en")
        yield f"{dispute.id}: {amount}, {dispute.status}", False
    for stripe_id, reason in run.failed.items():
        yield f"{stripe_id}: {reason}", True


def _proof(now: datetime, dry_run: bool, progress: Progress) -> Lines:
    proof = prove()
    for balance in proof.balances:
        if not balance.is_proved:
            books, rows = (
                display(amount, balance.currency, language="en")
                for amount in (balance.ledger, balance.rows)
            )
            yield f"{balance.account.value}: {books} in the books, {rows} by the rows", True
    for cash in proof.cash:
        books, transactions, transit = (
            display(amount, cash.currency, language="en")
            for amount in (cash.ledger, cash.transactions, cash.in_transit)
        )
        text = f"at Stripe: {books} in the books, {transactions} by its transactions"
        yield f"{text}, {transit} in transit", not cash.is_proved
    for check in proof.checks:
        if check.wrong:
            yield f"{check.what}: {check.wrong} wrong: {', '.join(check.examples)}", True

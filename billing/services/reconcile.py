"""Compare with Stripe: fetch what never arrived, book the balance, look at disputes, prove it all.

The balance makes payments known that no event told of, and disputes may be of those.

Each part is idempotent, and goes on from where it was; one that fails stops no other. So a run may
come twice, beside another, late, or die: the next one does what is left.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

import structlog
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from billing.models import Reconciliation
from billing.proof import prove
from billing.services.balance import balance_fetch
from billing.services.events import events_failed
from billing.services.missed_disputes import disputes_fetch
from billing.services.missed_events import events_fetch
from billing.words import Money, Words, label_of

log = structlog.get_logger(__name__)

Progress = Callable[[str, int], None]
_SHOWN = 20  # ids of each kind


@dataclass(frozen=True)
class Finding:
    """A line of what was found; a difference is for an operator to look at."""

    part: str
    words: Words
    is_difference: bool = False


def reconcile(
    *, now: datetime, dry_run: bool = False, progress: Progress = lambda part, done: None
) -> list[Finding]:
    """Compare with Stripe; return what was found, and keep it. In a dry run nothing is written.

    `progress` is told the part, and how many of Stripe's rows it has read, or checks it has done.
    """
    row = None if dry_run else Reconciliation.objects.create(started_at=now)
    found: list[Finding] = []
    parts = {"events": _events, "balance": _balance, "disputes": _disputes, "proof": _proof}
    for name, part in parts.items():
        try:
            for words, is_difference in part(now, dry_run, partial(progress, name)):
                found.append(Finding(name, words, is_difference))
        except Exception as error:
            log.exception("reconcile.part_failed", part=name)
            words = Words(_("failed: %(reason)s"), {"reason": str(error)})
            found.append(Finding(name, words, is_difference=True))
    differences = [one for one in found if one.is_difference]
    for one in differences:
        log.error("reconcile.difference", part=one.part, text=one.words.english)
    if row is not None:
        row.finished_at, row.differences = timezone.now(), len(differences)
        row.findings = [asdict(one) for one in found]
        row.save(update_fields=["finished_at", "differences", "findings"])
    return found


Lines = Iterator[tuple[Words, bool]]
Done = Callable[[int], None]


def _events(now: datetime, dry_run: bool, progress: Done) -> Lines:
    run = events_fetch(now=now, dry_run=dry_run, progress=progress)
    counts = {"read": run.read, "missed": run.missed}
    yield Words(_("%(read)d events read, %(missed)d had never arrived"), counts), False
    for event in run.first:
        yield Words(_("never arrived: %(event)s"), {"event": f"{event.type} {event.id}"}), False
    if run.gap:
        since, until = (f"{at:%F %R}" for at in run.gap)
        text = _(
            "Stripe keeps no events from %(since)s to %(until)s UTC any more: what moved money then"
            " is found by the balance"
        )
        yield Words(text, {"since": since, "until": until}), True
    for stored in events_failed(now=now).order_by("-id")[:_SHOWN]:
        yield Words(_("not processed: %(event)s"), {"event": str(stored)}), True


def _balance(now: datetime, dry_run: bool, progress: Done) -> Lines:
    run = balance_fetch(now=now, dry_run=dry_run, progress=progress)
    text = _("balance transactions: %(fetched)d new, %(booked)d booked, %(looked_up)d looked up")
    counts = {"fetched": run.fetched, "booked": run.booked, "looked_up": run.looked_up}
    yield Words(text, counts), False
    if run.payouts_in_progress:
        text = _("payouts of which Stripe does not know yet what they paid out: %(count)d")
        yield Words(text, {"count": run.payouts_in_progress}), False
    yield from _failed(run.failed)


def _disputes(now: datetime, dry_run: bool, progress: Done) -> Lines:
    run = disputes_fetch(now=now, dry_run=dry_run)
    yield Words(_("disputes with news: %(count)d"), {"count": len(run.news)}), False
    for dispute in run.news[:_SHOWN]:
        said = {"amount": Money(dispute.amount, dispute.currency), "status": dispute.status}
        yield Words("%(id)s: %(amount)s, %(status)s", {"id": dispute.id, **said}), False
    yield from _failed(run.failed)


def _failed(failed: Mapping[str, str]) -> Lines:
    for stripe_id, reason in failed.items():
        yield Words("%(id)s: %(reason)s", {"id": stripe_id, "reason": reason}), True


def _proof(now: datetime, dry_run: bool, progress: Done) -> Lines:
    proof = prove(now=now, progress=progress)
    if proof.too_old:
        yield proof.too_old, True
    for balance in proof.balances:
        if not balance.is_proved:
            said = {
                "account": label_of(balance.account),
                "books": Money(balance.ledger, balance.currency),
                "rows": Money(balance.rows, balance.currency),
            }
            text = _("%(account)s: %(books)s in the books, %(rows)s by the rows")
            yield Words(text, said), True
    for cash in proof.cash:
        said = {
            "books": Money(cash.ledger, cash.currency),
            "transactions": Money(cash.transactions, cash.currency),
            "transit": Money(cash.in_transit, cash.currency),
        }
        text = _(
            "at Stripe: %(books)s in the books, %(transactions)s by its transactions, %(transit)s"
            " in transit"
        )
        yield Words(text, said), not cash.is_proved
    for check in proof.checks:
        if check.wrong:
            yield check.complaint, True

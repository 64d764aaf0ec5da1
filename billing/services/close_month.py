"""Close months: usage in arrears once it has settled, fees in advance from the 1st.

Set-based, in batches of one transaction each. Safe to run twice, in parallel, late, and to be
killed anywhere: an invoice is unique by subscription, month and kind, what a batch wrote it wrote
whole, and the next run finds what is still due. What is due is asked of the database, so that a run
with nothing to do costs two queries a month. One tenant's failure never stops another's: a batch
that fails is done again one by one.

Changes of plan and price that are due come first; while one is not made, its tenant is not billed,
for a month's fee is that of the plan which holds on its 1st.
"""

import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import structlog

from billing.dues import month_before, month_of
from billing.models import Invoice, Subscription
from billing.services.changes import changes_apply
from billing.services.close_batch import Written, batch_close, batch_would_close
from billing.services.close_read import Close, TermsCache, due
from billing.services.issuing import Draft
from tenants.errors import Refused
from tenants.periods import Period

log = structlog.get_logger(__name__)

BATCH = 2_000  # subscriptions of one transaction, which holds the counter while it writes
CATCH_UP = 3  # months that are looked at again, were they not closed in their time
MISSED = 12  # months in which what was not closed even so is looked for, to be said

Each = Callable[[Invoice, Draft], None]
Progress = Callable[[int, int], None]


@dataclass
class CloseRun:
    """How many invoices a run wrote, or would write. `failed` maps a tenant to the reason."""

    invoices: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def close_month(
    *,
    now: datetime,
    month: date | None = None,
    dry_run: bool = False,
    each: Each = lambda invoice, draft: None,
    progress: Progress = lambda done, total: None,
) -> CloseRun:
    """Close what is due of the last months, or of one month of which `month` is a day (UTC).

    Raise Refused where the month that is named is not over; a dry run looks at it as of its end.
    `each` is told of every invoice that was issued, in a dry run of every one that would be;
    `progress(done, total)` comes after each batch, in subscriptions.
    """
    today = now.astimezone(UTC).date()
    if month is not None and not dry_run and today < month_of(month).end:
        raise Refused("That month is not over yet.")
    run = CloseRun()
    if not dry_run:
        run.failed |= changes_apply(now=now).failed
    if month is not None:
        months = [month_of(month)]
    else:
        months = [month_before(month_of(today))]
        while len(months) < CATCH_UP:
            months.insert(0, month_before(months[0]))
    closes = [_close(each_month, today, now) for each_month in months]
    todo = [list(due(close).order_by("pk").values_list("pk", flat=True)) for close in closes]
    done, total = 0, sum(map(len, todo))
    cache = TermsCache()
    for close, ids in zip(closes, todo, strict=True):
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            with _uncollected():
                _batch(batch, close, cache, run, each, dry_run=dry_run)
            done += len(batch)
            progress(done, total)
    return run


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let Python look for cycles between batches only.

    A batch makes none, and so many rows that it would look through all of them time and again:
    a fifth of a close.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def months_missed(*, now: datetime) -> dict[date, int]:
    """Return the months that were not closed in time and are not looked at any more, by their first
    day (UTC), with the number of subscriptions concerned. They can be closed by name.
    """
    today = now.astimezone(UTC).date()
    month, missed = month_of(today), {}
    for back in range(1, MISSED + 1):
        month = month_before(month)
        if back > CATCH_UP and (count := due(_close(month, today, now)).count()):
            missed[month.start] = count
            log.warning("close.missed", month=f"{month.start:%Y-%m}", subscriptions=count)
    return missed


def _close(month: Period, today: date, now: datetime) -> Close:
    return Close(month=month, ahead=month_of(month.end), as_of=max(today, month.end), now=now)


def _batch(
    ids: Collection[int], close: Close, cache: TermsCache, run: CloseRun, each: Each, *,
    dry_run: bool,
) -> None:  # fmt: skip
    do: Callable[..., Written] = batch_would_close if dry_run else batch_close
    try:
        written = do(ids=ids, close=close, cache=cache)
    except Exception as error:
        if len(ids) == 1:
            log.exception("close.failed", subscriptions=ids)
            _note_failure(ids, error, run)
            return
        log.warning("close.batch_failed", subscriptions=len(ids), error=str(error))
        for pk in ids:
            _batch([pk], close, cache, run, each, dry_run=dry_run)
        return
    run.failed |= written.refused
    run.invoices += len(written.invoices)
    for invoice, draft in written.invoices:
        each(invoice, draft)


def _note_failure(ids: Collection[int], error: Exception, run: CloseRun) -> None:
    for subscription in Subscription.objects.filter(pk__in=ids).select_related("tenant"):
        run.failed[f"{subscription.tenant} ({subscription.tenant.uuid})"] = str(error)

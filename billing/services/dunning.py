"""Dunning: take each step of the schedule that is due, once.

The step's row is written first, in a transaction that holds the invoice and its case: runs side by
side take it once. A retry then charges the card; one that died is gone on with by a later run, as
the same attempt. One tenant's failure never stops another's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from django.db import transaction

from billing import payments
from billing.dunning_schedule import Coming, coming
from billing.models import (
    DunningAct,
    DunningCase,
    DunningDone,
    DunningOutcome,
    DunningStep,
    InvoiceState,
    PaymentState,
)
from billing.services.attempts import last_attempt
from billing.services.cases import (
    case_close,
    case_open,
    failure_tell,
    invoices_uncollected,
    suspend,
)
from billing.services.collect import invoice_retry
from billing.services.locks import invoice_locked

log = structlog.get_logger(__name__)

GONE_ON_AFTER = timedelta(minutes=10)  # a retry that nobody noted the end of


@dataclass
class DunRun:
    """What a run did, or would do, a line each. `failed` maps an invoice's number to the reason."""

    opened: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def dun(
    *,
    now: datetime,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> DunRun:
    """Open the cases that there are, and take one step that is due in each; return what was done.

    `progress(done, total)` is called after each invoice.
    """
    run = DunRun()
    uncollected = list(invoices_uncollected(now=now))
    cases = DunningCase.objects.filter(
        closed_at=None, is_paused=False, invoice__tenant__leaving_parts=None
    )
    open_ = list(cases.order_by("opened_at", "id").values_list("pk", flat=True))
    total = len(uncollected) + len(open_)
    for number, invoice in enumerate(uncollected, start=1):
        with _noting_failure(run, invoice.number):
            if dry_run or case_open(invoice=invoice, now=now) is not None:
                run.opened.append(f"{invoice.number}  {invoice.tenant}")
        progress(number, total)
    for number, pk in enumerate(open_, start=len(uncollected) + 1):
        case = DunningCase.objects.select_related("invoice__tenant").get(pk=pk)
        with _noting_failure(run, case.invoice.number):
            taken = _due(case, now) if dry_run else _advance(case, now)
            if taken is not None:
                run.taken.append(f"{case.invoice.number}  {case.invoice.tenant}  {taken}")
        progress(number, total)
    return run


@contextmanager
def _noting_failure(run: DunRun, number: str) -> Iterator[None]:
    """Note a failure of one invoice, and go on with the next."""
    try:
        yield
    except Exception as error:
        log.exception("dun.failed", invoice=number)
        run.failed[number] = str(error)


def _due(case: DunningCase, now: datetime) -> str | None:
    """Return in words what an open case is due, if anything."""
    ahead = _ahead(case, now)
    is_due = ahead and ahead[0].due_on <= now.astimezone(UTC).date()
    return str(ahead[0].step) if is_due else None


def _ahead(case: DunningCase, now: datetime) -> list[Coming]:
    return coming(case=case, done=list(case.done.all()), steps=DunningStep.objects.all(), now=now)


def _advance(case: DunningCase, now: datetime) -> str | None:
    """Go on with a retry that died, or take the step that is due; return what was done."""
    under_way = case.done.filter(outcome=DunningOutcome.UNDER_WAY).first()
    if under_way is not None and under_way.done_at > now - GONE_ON_AFTER:
        return None
    step = under_way or _begin(case, now)
    if step is None:
        return None
    if step.outcome == DunningOutcome.UNDER_WAY:
        _retry(step, now)
        step.refresh_from_db()
    return f"{step.day}: {step.get_act_display()}: {step.get_outcome_display()}"


@transaction.atomic
def _begin(case: DunningCase, now: datetime) -> DunningDone | None:
    """Note the step that is due, and do what needs no network; None where there is none."""
    invoice = invoice_locked(case.invoice_id)
    case = DunningCase.objects.select_for_update().get(pk=case.pk)
    if invoice.state != InvoiceState.OPEN or invoice.is_too_small:
        case_close(invoice=invoice, now=now)
        return None
    if case.closed_at is not None or case.is_paused:
        return None
    ahead = _ahead(case, now)
    is_due = ahead and ahead[0].due_on <= now.astimezone(UTC).date()
    if not is_due or case.done.filter(outcome=DunningOutcome.UNDER_WAY).exists():
        return None
    step = ahead[0].step
    done = DunningDone(case=case, day=step.day, act=step.act, done_at=now)
    match step.act:
        case DunningAct.RETRY:
            last = last_attempt(invoice)
            done.after_attempt = last.attempt if last else 0
            done.save()
        case DunningAct.REMIND:
            done.outcome = DunningOutcome.MAILED
            done.save()
            failure_tell(case=case, now=now)
        case DunningAct.SUSPEND:
            done.outcome = DunningOutcome.SUSPENDED
            done.save()
            suspend(case=case, now=now)
    return done


_OUTCOMES = {
    PaymentState.SUCCEEDED: DunningOutcome.PAID,
    PaymentState.FAILED: DunningOutcome.DECLINED,
    PaymentState.NEEDS_ACTION: DunningOutcome.NEEDS_ACTION,
}


def _retry(step: DunningDone, now: datetime) -> None:
    """Charge the card and note what came of it. Where Stripe does not answer, a later run does."""
    invoice = step.case.invoice
    try:
        state = invoice_retry(invoice=invoice, after=step.after_attempt, now=now)
    except payments.PaymentUnavailable as error:
        log.info("dun.waits", invoice=invoice.number, error=str(error))
        return
    if state == PaymentState.PENDING:
        return
    outcome = _OUTCOMES[state] if state is not None else DunningOutcome.NO_CARD
    with transaction.atomic():
        invoice = invoice_locked(invoice.pk)
        noted = DunningDone.objects.filter(pk=step.pk, outcome=DunningOutcome.UNDER_WAY)
        if not noted.update(outcome=outcome):
            return  # the payment itself closed the case
        # Where the bank wants the cardholder, the attempt has its own mail.
        if invoice.state == InvoiceState.OPEN and outcome != DunningOutcome.NEEDS_ACTION:
            failure_tell(case=step.case, now=now)

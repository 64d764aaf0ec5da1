"""What pages say of invoices that could not be collected: what was tried, and what comes next."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from billing.declines import in_words
from billing.dunning_schedule import coming, stops_on
from billing.models import (
    DunningAct,
    DunningCase,
    DunningOutcome,
    DunningStep,
    Payment,
    PaymentMethod,
)
from billing.money import display
from tenants.models import Tenant


@dataclass(frozen=True)
class Past:
    """Something that was done, and what came of it in words."""

    at: datetime
    what: str
    outcome: str


@dataclass(frozen=True)
class Next:
    """A step to come, on a UTC day."""

    on: date
    what: str


@dataclass(frozen=True)
class Overdue:
    """An invoice that is dunned. `stops_on` is when the keys stop, None once they have."""

    number: str
    amount: str
    is_suspended: bool
    is_paused: bool
    past: list[Past]
    ahead: list[Next]
    stops_on: date | None


def overdue(*, tenant: Tenant, now: datetime) -> list[Overdue]:
    """Return a tenant's overdue invoices, the oldest first."""
    steps = list(DunningStep.objects.all())
    return [overdue_row(case, steps, now) for case in _cases(tenant).order_by("opened_at", "id")]


def _cases(tenant: Tenant) -> QuerySet[DunningCase]:
    mine = DunningCase.objects.filter(invoice__tenant=tenant, closed_at=None)
    return mine.select_related("invoice").prefetch_related("done", "invoice__payments")


def overdue_row(case: DunningCase, steps: list[DunningStep], now: datetime) -> Overdue:
    done = list(case.done.all())
    ahead = [] if case.is_paused else coming(case=case, done=done, steps=steps, now=now)
    return Overdue(
        number=case.invoice.number,
        amount=display(case.invoice.amount_due, case.invoice.currency),
        is_suspended=any(each.act == DunningAct.SUSPEND for each in done),
        is_paused=case.is_paused,
        past=past(case),
        ahead=[Next(each.due_on, each.step.get_act_display()) for each in ahead],
        stops_on=stops_on(ahead),
    )


def past(case: DunningCase) -> list[Past]:
    """Return what was done in a case, the oldest first: attempts to pay, mails, the suspension."""
    attempts = [
        Past(payment.created_at, _what(payment), _outcome(payment))
        for payment in case.invoice.payments.all()
        if payment.method == PaymentMethod.CARD
    ]
    others = [
        Past(step.done_at, step.get_act_display(), step.get_outcome_display())
        for step in case.done.all()
        if step.act != DunningAct.RETRY or step.outcome == DunningOutcome.NO_CARD
    ]
    return sorted(attempts + others, key=lambda each: each.at)


def _what(payment: Payment) -> str:
    return _("saved card charged") if payment.payment_method_id else _("payment by hand")


def _outcome(payment: Payment) -> str:
    words = in_words(payment.failure_code, payment.failure_message)
    return words or payment.get_state_display()


@dataclass(frozen=True)
class Banner:
    """What every page says while something is overdue."""

    number: str
    is_suspended: bool
    stops_on: date | None


def banner(*, tenant: Tenant, now: datetime) -> Banner | None:
    """Return what every page says: of a suspension, else of the invoice that stops keys first."""
    rows = overdue(tenant=tenant, now=now)
    if not rows:
        return None
    worst = min(rows, key=lambda row: (not row.is_suspended, row.stops_on or date.max))
    return Banner(worst.number, worst.is_suspended, worst.stops_on)

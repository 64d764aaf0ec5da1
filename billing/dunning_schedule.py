"""When the steps of a dunning case are due. Days are UTC.

A step is due so many days after the one before it as the schedule says, counted from when that one
was taken. So a run that comes late takes one step, not all that were missed: no card is charged
twice on a day, and no tenant loses the days between the last mail and the suspension.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from billing.models import DunningAct, DunningCase, DunningDone, DunningStep


@dataclass(frozen=True)
class Coming:
    """A step that is still to come, and the day that it is due, not before today."""

    step: DunningStep
    due_on: date


def coming(
    *,
    case: DunningCase,
    done: Sequence[DunningDone],
    steps: Iterable[DunningStep],
    now: datetime,
) -> list[Coming]:
    """Return the steps still to come in a case, the next one first."""
    last = max(done, key=lambda each: each.day, default=None)
    day = last.day if last else 0
    due_on = _day(last.done_at if last else case.opened_at)
    ahead = []
    for step in sorted(steps, key=lambda each: each.day):
        if step.day > day:
            due_on = max(due_on + timedelta(days=step.day - day), _day(now))
            day = step.day
            ahead.append(Coming(step, due_on))
    return ahead


def stops_on(ahead: Iterable[Coming]) -> date | None:
    """Return the day on which the keys stop, where that is still to come."""
    return next((each.due_on for each in ahead if each.step.act == DunningAct.SUSPEND), None)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()

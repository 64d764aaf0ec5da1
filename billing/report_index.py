"""The reports' first page: what an operator wants to know, at one look."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import Plan
from billing.money import display
from billing.report_tables import dollars
from billing.reports.ageing import ageing
from billing.reports.cost import costs_by_plan
from billing.reports.months import months_until
from billing.reports.mrr import MrrMonth, mrr_by_month
from billing.reports.revenue import revenue_by_plan
from billing.services.offers import FREE


@dataclass(frozen=True)
class Card:
    """A report's most telling figures, of each currency: the one, and what it is to be seen by."""

    title: str
    url: str
    figures: Sequence[tuple[str, str]]
    empty: str


def index_cards(*, now: datetime) -> list[Card]:
    """Return a card for each report, as of now."""
    months = mrr_by_month(months=months_until(now, count=2), now=now)
    return [
        Card(
            _("Revenue this month"),
            _url("revenue"),
            list(_revenue(now)),
            _("Nothing was invoiced yet."),
        ),
        Card(
            _("Monthly recurring revenue"),
            _url("mrr"),
            [_recurring(month) for month in months[1::2]],
            _("No subscription has a fee yet."),
        ),
        Card(
            _("Tenant churn last month"),
            _url("mrr"),
            [_churn(month) for month in months[::2]],
            _("No subscription has a fee yet."),
        ),
        Card(_("Past due"), _url("ageing"), list(_overdue(now)), _("Nobody owes anything.")),
        Card(
            _("Cost of the free plan this month"),
            _url("cost"),
            list(_cost(now)),
            _("Nothing was used this month."),
        ),
    ]


def _url(name: str) -> str:
    return reverse("report", args=[name])


def _revenue(now: datetime) -> Iterable[tuple[str, str]]:
    months = months_until(now, count=2)
    sums: dict[tuple[str, bool], int] = {}
    for it in revenue_by_plan(months=months):
        key = (it.currency, it.month == months.last)
        sums[key] = sums.get(key, 0) + it.revenue
    for currency in sorted({currency for currency, _is_now in sums}):
        before = display(sums.get((currency, False), 0), currency)
        yield (
            display(sums.get((currency, True), 0), currency),
            _("%(month)s: %(amount)s")
            % {"month": date_format(months.first, "YEAR_MONTH_FORMAT"), "amount": before},
        )


def _recurring(month: MrrMonth) -> tuple[str, str]:
    change = display(month.closing - month.opening, month.currency)
    sign = "+" if month.closing > month.opening else ""
    return display(month.closing, month.currency), _("%(change)s this month") % {
        "change": f"{sign}{change}"
    }


def _churn(month: MrrMonth) -> tuple[str, str]:
    rate = month.customer_churn
    shown = "–" if rate is None else f"{number_format(rate * 100, 1)} %"
    paying = ngettext(
        "%(currency)s; %(count)d paying tenant at its end",
        "%(currency)s; %(count)d paying tenants at its end",
        month.customers_left,
    )
    return shown, paying % {"currency": month.currency, "count": month.customers_left}


def _overdue(now: datetime) -> Iterable[tuple[str, str]]:
    for it in ageing(now=now):
        owed = display(it.total, it.currency)
        yield display(it.overdue, it.currency), _("of %(amount)s owed") % {"amount": owed}


def _cost(now: datetime) -> Iterable[tuple[str, str]]:
    """Costs are all in dollars, so those of tenants of all currencies are one figure."""
    costs = costs_by_plan(months=months_until(now, count=1))
    free = set(Plan.objects.filter(code=FREE).values_list("pk", flat=True))
    if costs:
        mine = sum((it.cost for it in costs if it.plan_id in free), Decimal(0))
        every = sum((it.cost for it in costs), Decimal(0))
        amount = dollars(every)
        yield dollars(mine), _("of %(amount)s that all plans cost") % {"amount": amount}

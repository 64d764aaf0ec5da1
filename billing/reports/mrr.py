"""Monthly recurring revenue, its movements, and churn.

As Stripe has it, MRR is the sum of the monthly fees of active paid subscriptions, those that are
past due among them: without trials, taxes and whatever is metered
(https://docs.stripe.com/billing/subscriptions/analytics/glossary). A subscription's fee is that of
its price version. It counts from its first UTC day that is no trial's, and no more from the day on
which another plan or price begins: a plan that is cancelled to a month's end churns on the 1st.

Each change of a tenant's MRR on a day is one movement, as ChartMogul names them
(https://help.chartmogul.com/hc/en-us/articles/203299912): from nothing for the first time it is
new, later a reactivation; to nothing it is churn; up an expansion, down a contraction. A month's
opening MRR and its movements are its closing MRR. Who comes and goes within a month is in both.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db import connection

from billing.models import PriceVersion, Subscription
from billing.reports.months import Months, moved


class Movement(StrEnum):
    """In the order in which they are shown."""

    NEW = "new"
    EXPANSION = "expansion"
    REACTIVATION = "reactivation"
    CONTRACTION = "contraction"
    CHURN = "churn"


@dataclass
class MrrMonth:
    """A month in a currency. `opening` is the MRR before its first day, in minor units, `changes`
    by how much each movement moved it, and `counts` how many there were of it.
    """

    month: date
    currency: str
    opening: int
    customers: int
    changes: Counter[Movement] = field(default_factory=Counter)
    counts: Counter[Movement] = field(default_factory=Counter)

    @property
    def closing(self) -> int:
        return self.opening + sum(self.changes.values())

    @property
    def customers_left(self) -> int:
        """How many paid a fee on the last day."""
        came = self.counts[Movement.NEW] + self.counts[Movement.REACTIVATION]
        return self.customers + came - self.counts[Movement.CHURN]

    @property
    def customer_churn(self) -> Decimal | None:
        """Customers that churned ÷ those at the month's start and the new ones: Stripe's
        https://support.stripe.com/questions/calculating-subscriber-churn-rate-in-billing
        """
        return _rate(self.counts[Movement.CHURN], self.customers + self.counts[Movement.NEW])

    @property
    def gross_churn(self) -> Decimal | None:
        """Churn and contraction ÷ MRR at the month's start: ChartMogul's gross MRR churn rate.
        https://help.chartmogul.com/hc/en-us/articles/203359341
        """
        return _rate(-self._lost, self.opening)

    @property
    def net_churn(self) -> Decimal | None:
        """The same, less expansion and reactivation; below zero where those are more."""
        won = self.changes[Movement.EXPANSION] + self.changes[Movement.REACTIVATION]
        return _rate(-self._lost - won, self.opening)

    @property
    def _lost(self) -> int:
        return self.changes[Movement.CHURN] + self.changes[Movement.CONTRACTION]


def _rate(part: int, whole: int) -> Decimal | None:
    """Return a part of a whole; None where there is no whole to lose a part of."""
    return Decimal(part) / whole if whole else None


# A tenant's first step is up: each subscription of a fee is an edge up, and one down where it ends.
_MOVEMENTS = f"""
WITH paid AS (
    SELECT held.tenant_id, price.currency, price.monthly_fee AS fee, held.ends_on,
           CASE WHEN held.trial_ends_on > held.starts_on THEN held.trial_ends_on
                ELSE held.starts_on END AS starts_on
    FROM {Subscription._meta.db_table} held
    JOIN {PriceVersion._meta.db_table} price ON price.id = held.price_id
    WHERE held.starts_on IS NOT NULL AND price.monthly_fee > 0
), edge AS (
    SELECT tenant_id, currency, starts_on AS day, fee FROM paid
    WHERE ends_on IS NULL OR ends_on > starts_on
    UNION ALL
    SELECT tenant_id, currency, ends_on, -fee FROM paid WHERE ends_on > starts_on
), step AS (
    SELECT tenant_id, currency, day, SUM(fee) AS change
    FROM edge WHERE day < %s GROUP BY tenant_id, currency, day
), level AS (
    SELECT currency, day, change,
           SUM(change) OVER (PARTITION BY tenant_id, currency ORDER BY day) AS mrr,
           ROW_NUMBER() OVER (PARTITION BY tenant_id, currency ORDER BY day) AS nth
    FROM step
), movement AS (
    SELECT currency, CASE WHEN day >= %s THEN day END AS day, change,
           CASE WHEN nth = 1 THEN 'new'
                WHEN mrr = 0 THEN 'churn'
                WHEN mrr = change THEN 'reactivation'
                WHEN change > 0 THEN 'expansion'
                ELSE 'contraction' END AS kind
    FROM level WHERE change <> 0
)
SELECT currency, day, kind, SUM(change), COUNT(*) FROM movement GROUP BY currency, day, kind
"""  # noqa: S608  (the names are our own models')


def mrr_by_month(*, months: Months, now: datetime) -> list[MrrMonth]:
    """Return every month of the currencies in which there ever was a fee, by currency and month.

    The month that `now` is in is as of today. One query.
    """
    until = min(months.end, now.astimezone(UTC).date() + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, [until, months.first])
        rows = cursor.fetchall()
    moves: dict[str, dict[date, list[tuple[Movement, int, int]]]] = {}
    for currency, day, kind, change, count in rows:
        # SQLite hands out dates as text where an expression made them.
        month = date.fromisoformat(str(day)).replace(day=1) if day else moved(months.first, -1)
        by_month = moves.setdefault(currency, defaultdict(list))
        by_month[month].append((Movement(kind), int(change), int(count)))
    return [
        month for currency in sorted(moves) for month in _chain(currency, moves[currency], months)
    ]


def _chain(
    currency: str, moves: dict[date, list[tuple[Movement, int, int]]], months: Months
) -> list[MrrMonth]:
    """Return a currency's months, each opening with what the one before it closed with."""
    last = MrrMonth(moved(months.first, -1), currency, 0, 0)
    chain = [last, *(MrrMonth(month, currency, 0, 0) for month in months)]
    for month in chain:
        if month is not last:
            month.opening, month.customers = last.closing, last.customers_left
        for kind, change, count in moves.get(month.month, []):
            month.changes[kind] += change
            month.counts[kind] += count
        last = month
    return chain[1:]

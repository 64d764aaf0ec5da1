"""Cost to serve: what tenants use × what it costs us, beside the revenue that they bring.

Of what Amazon bills, this counts a request at the gateway, a run of a function for each request and
each conversion, and the GB-seconds of the function that converts: the short functions before it,
storage and traffic are left out. AWS's free tier is the account's, so what is free of a month is
shared out by use: each unit costs price × (used − free) ÷ used, whoever used it.

Costs are in US dollars. A margin is in the currency of the revenue, at the newest exchange rate
from the dollar of the month's last day or before; None where there is none.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import (
    Count,
    DateField,
    ExpressionWrapper,
    F,
    FilteredRelation,
    FloatField,
    Q,
    QuerySet,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, TruncMonth

from billing.models import CostUnit, Currency, ExchangeRate, UnitCost
from billing.money import major, rounded
from billing.reports.months import Months, moved
from billing.reports.revenue import revenue_by_plan, revenue_by_tenant
from tenants.models import Meter, UsageDay

MB_MS_PER_GB_SECOND = 1024 * 1000


@dataclass(frozen=True)
class Served:
    """What was used in a month by so many `tenants`, what it cost in US dollars, and what it
    brought: `revenue`, net of tax, and `margin`, in minor units. `name` is a single tenant's.
    """

    month: date
    currency: str
    plan_id: int | None
    tenants: int
    requests: int
    conversions: int
    gb_seconds: Decimal
    cost: Decimal
    revenue: int
    margin: int | None
    name: str = ""


def costs_by_plan(*, months: Months) -> list[Served]:
    """Return the months of each currency and plan in which something was used or invoiced, by
    currency, plan and month. Use counts for the plan that was held on its day.
    """
    used = _used(months, plan_on=F("day")).annotate(
        month=TruncMonth("day", output_field=DateField())
    )
    rows: dict[tuple[str, int | None, date], dict[str, Any]] = defaultdict(dict)
    for row in _sums(used, "currency", "plan_id", "month"):
        rows[row["currency"], row["plan_id"], row["month"]] |= row
    for it in revenue_by_plan(months=months):
        rows[it.currency, it.plan_id, it.month] |= {
            "currency": it.currency, "plan_id": it.plan_id, "revenue": it.revenue,
        }  # fmt: skip
    reckoner = _Reckoner(months)
    in_order = sorted(rows, key=lambda key: (key[0], key[1] or 0, key[2]))
    return [reckoner.served(key[2], rows[key]) for key in in_order]


def costs_by_tenant(*, months: Months) -> Iterator[Served]:
    """Yield the tenants of each month that used something or were invoiced, by month and currency,
    those that cost most first; with the plan of the month's last day. Read month by month.
    """
    reckoner = _Reckoner(months)
    for month in months:
        rows: dict[tuple[str, int], dict[str, Any]] = defaultdict(dict)
        for row in _used_by_tenant(month):
            rows[row["currency"], row["tenant_id"]] |= row
        for row in revenue_by_tenant(month=month):
            rows[row["currency"], row["tenant_id"]] |= row
        served = [reckoner.served(month, row) for row in rows.values()]
        yield from sorted(served, key=_dearest_first)


def costs_dearest(*, month: date, most: int) -> list[Served]:
    """Return the tenants that cost most in a month, so many of each currency: by currency, the
    dearest first. The database picks them, among those that used something.
    """
    reckoner = _Reckoner(Months(month, month))
    of_all = _used_by_tenant(month).alias(costs=reckoner.cost_of(month))
    dearest = of_all.order_by("-costs", "-requests", "tenant_id")
    rows = [row for code in Currency.values for row in dearest.filter(currency=code)[:most]]
    brought = {
        (row["currency"], row["tenant_id"]): row["revenue"]
        for row in revenue_by_tenant(month=month, tenants=[row["tenant_id"] for row in rows])
    }
    served = [
        reckoner.served(
            month, {**row, "revenue": brought.get((row["currency"], row["tenant_id"]), 0)}
        )
        for row in rows
    ]
    return sorted(served, key=_dearest_first)


def _dearest_first(of: Served) -> tuple[Any, ...]:
    return of.currency, -of.cost, -of.revenue, of.name


def _used_by_tenant(month: date) -> QuerySet[Any]:
    """Return what each tenant used in a month, with the plan of its last day."""
    last = Value(moved(month, 1) - timedelta(days=1), output_field=DateField())
    used = _used(Months(month, month), plan_on=last).annotate(name=F("tenant__name"))
    return _sums(used, "currency", "tenant_id", "name", "plan_id")


def _used(months: Months, *, plan_on: Any) -> QuerySet[Any]:
    """Return the usage of some months, with its tenant's currency, and the plan that it held on a
    day: by a join, for a tenant holds one at a time, and there are many rows to look it up for.
    """
    days = UsageDay.objects.filter(day__gte=months.first, day__lt=months.end, used__gt=0)
    ends_later = Q(tenant__subscriptions__ends_on=None) | Q(
        tenant__subscriptions__ends_on__gt=plan_on
    )
    return days.annotate(
        currency=Coalesce("tenant__customer__currency", Value(Currency.USD)),
        held=FilteredRelation(
            "tenant__subscriptions",
            condition=ends_later & Q(tenant__subscriptions__starts_on__lte=plan_on),
        ),
        plan_id=F("held__plan_id"),
    )


def _sums(used: QuerySet[Any], *by: str) -> QuerySet[Any]:
    """Return the totals of the meters, and how many tenants used something."""
    sums = {
        meter.value: Coalesce(Sum("used", filter=Q(meter=meter)), 0)
        for meter in (Meter.REQUESTS, Meter.CONVERSIONS, Meter.COMPUTE)
    }
    rows: QuerySet[Any] = (
        used.order_by().values(*by).annotate(tenants=Count("tenant", distinct=True), **sums)
    )
    return rows


class _Reckoner:
    """What each meter's unit costs in each of some months, by what all tenants used in them."""

    def __init__(self, months: Months) -> None:
        month = TruncMonth("day", output_field=DateField())
        days = UsageDay.objects.filter(day__gte=months.first, day__lt=months.end)
        totals: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for at, meter, used in days.order_by().values_list(month, "meter").annotate(Sum("used")):
            totals[at][meter] = used
        prices = list(UnitCost.objects.filter(valid_from__lt=months.end).order_by("valid_from"))
        self._unit_costs = {at: _unit_costs(at, totals[at], prices) for at in months}
        rates = ExchangeRate.objects.filter(currency=Currency.USD, day__lt=months.end)
        self._rates = list(rates.order_by("day"))

    def cost_of(self, month: date) -> Any:
        """Return what the database can order a month's sums by: about what they cost."""
        return sum(
            (
                ExpressionWrapper(F(meter.value) * float(price), output_field=FloatField())
                for meter, price in self._unit_costs[month].items()
            ),
            Value(0.0),
        )

    def served(self, month: date, row: dict[str, Any]) -> Served:
        """Return what a row of a month used and brought, and what that cost."""
        used = {meter: row.get(meter, 0) for meter in Meter}
        cost = sum(
            (used[meter] * unit for meter, unit in self._unit_costs[month].items()), Decimal(0)
        )
        revenue = row.get("revenue", 0)
        rate = self._rate(month, row["currency"])
        return Served(
            month=month,
            currency=row["currency"],
            plan_id=row["plan_id"],
            tenants=row.get("tenants", 0),
            requests=used[Meter.REQUESTS],
            conversions=used[Meter.CONVERSIONS],
            gb_seconds=Decimal(used[Meter.COMPUTE]) / MB_MS_PER_GB_SECOND,
            cost=cost,
            revenue=revenue,
            margin=None if rate is None else revenue - rounded(cost * rate),
            name=row.get("name", ""),
        )

    def _rate(self, month: date, currency: str) -> Decimal | None:
        """Return how many minor units of a currency a dollar was worth at a month's end."""
        known = [rate for rate in self._rates if rate.home_currency == currency]
        newest = [rate.rate for rate in known if rate.day < moved(month, 1)][-1:]
        if currency == Currency.USD:
            newest = [Decimal(1)]
        return newest[0] / major(1, currency) if newest else None


def _unit_costs(month: date, used: dict[str, int], prices: list[UnitCost]) -> dict[Meter, Decimal]:
    """Return what a unit of each meter costs in a month of which this is all that was used."""
    requests, conversions = used[Meter.REQUESTS], used[Meter.CONVERSIONS]
    at_lambda = _effective(CostUnit.LAMBDA_REQUESTS, Decimal(requests + conversions), month, prices)
    at_gateway = _effective(CostUnit.GATEWAY_REQUESTS, Decimal(requests), month, prices)
    gb_seconds = Decimal(used[Meter.COMPUTE]) / MB_MS_PER_GB_SECOND
    each_second = _effective(CostUnit.LAMBDA_GB_SECONDS, gb_seconds, month, prices)
    return {
        Meter.REQUESTS: at_gateway + at_lambda,
        Meter.CONVERSIONS: at_lambda,
        Meter.COMPUTE: each_second / MB_MS_PER_GB_SECOND,
    }


def _effective(unit: CostUnit, used: Decimal, month: date, prices: list[UnitCost]) -> Decimal:
    """Return the price of a unit, of which the account's free ones are shared out by use."""
    valid = [each for each in prices if each.unit == unit and each.valid_from <= month]
    if not valid or not used:
        return Decimal(0)
    return valid[-1].price * max(used - valid[-1].free, Decimal(0)) / used

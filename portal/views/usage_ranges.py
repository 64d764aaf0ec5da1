"""Which days the usage page and its CSV files are asked for, and which to ask for next."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from portal.forms import UsageRangeForm
from portal.views.access import TenantRequest
from tenants import selectors
from tenants.models import Meter, Tenant
from tenants.periods import Period, period_with
from tenants.selectors.comparison import Before, usage_before

DAY = timedelta(days=1)
LEAST_DAYS = 7  # that the page begins with: a period's first day alone shows nothing


@dataclass(frozen=True)
class Preset:
    """A range to choose at once, of UTC days, both included."""

    label: str
    start: date
    end: date


def presets(*, tenant: Tenant, now: datetime, chosen: Period | None) -> list[Preset]:
    """Return the ranges that people ask for most, and from one that is over the periods beside."""
    kind, today = tenant.usage_plan.quota_period, now.astimezone(UTC).date()
    period = period_with(kind, today)
    last = period_with(kind, period.start - DAY)
    found = [
        Preset(_("This period"), period.start, today),
        Preset(_("Last period"), last.start, last.end - DAY),
        *(
            Preset(_("%(days)d days") % {"days": days}, today - timedelta(days=days - 1), today)
            for days in (7, 30, 90)
        ),
        Preset(_("This year"), today.replace(month=1, day=1), today),
    ]
    if chosen and chosen.start < period.start:
        before = period_with(kind, chosen.start - DAY)
        if before.closes_at > tenant.created_at:
            found.append(Preset(_("The period before"), before.start, before.end - DAY))
    if chosen and chosen.start < last.start:
        after = period_with(kind, chosen.end)
        found.append(Preset(_("The period after"), after.start, after.end - DAY))
    return found


def asked(request: TenantRequest, now: datetime) -> tuple[UsageRangeForm, dict[str, Any] | None]:
    """Return the bound form and its data; the current period where nothing was asked for."""
    tenant = request.member.tenant
    today = now.astimezone(UTC).date()
    first = selectors.current_period(tenant=tenant, now=now).start
    first = min(first, today - (LEAST_DAYS - 1) * DAY)
    given = {name: request.GET.get(name, "") for name in ("start", "end", "key")}
    meter = request.GET.get("meter") or Meter.REQUESTS
    data = {**given, "start": given["start"] or first, "end": given["end"] or today, "meter": meter}
    form = UsageRangeForm(data, tenant=tenant)
    return form, form.cleaned_data if form.is_valid() else None


def days_before(tenant: Tenant, chosen: dict[str, Any]) -> Before | None:
    """Return the days before those that were asked for, if there are some to compare with."""
    return usage_before(
        tenant=tenant, start=chosen["start"], end=chosen["end"], api_key=chosen["key"]
    )


def period_shown(tenant: Tenant, chosen: dict[str, Any], now: datetime) -> Period | None:
    """Return the quota period that a range is: all of one that is over, or the current so far."""
    today = now.astimezone(UTC).date()
    period = period_with(tenant.usage_plan.quota_period, chosen["start"])
    last = min(today, period.end - DAY)
    return period if (chosen["start"], chosen["end"]) == (period.start, last) else None


def preset_links(
    request: TenantRequest, chosen: dict[str, Any] | None, period: Period | None, now: datetime
) -> list[dict[str, Any]]:
    """Return the presets with their addresses; what else is chosen stays."""
    range_now = chosen and (chosen["start"], chosen["end"])
    kept = {name: request.GET[name] for name in ("meter", "key") if request.GET.get(name)}
    return [
        {
            "label": each.label,
            "query": urlencode({"start": each.start, "end": each.end, **kept}),
            "is_chosen": range_now == (each.start, each.end),
        }
        for each in presets(tenant=request.member.tenant, now=now, chosen=period)
    ]

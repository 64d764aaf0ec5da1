"""The dashboard and the usage pages. Figures come from our own rows, and say how old they are."""

import csv
from datetime import UTC, date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import formats, timezone
from django.views.decorators.http import require_safe

from conversions import samples
from portal.forms import UsageRangeForm
from portal.views.access import TenantRequest, tenant_required
from portal.views.keys import value_to_show
from portal.views.live import live_context
from tenants import selectors
from tenants.models import ApiKeyVersion, Meter, Tenant
from tenants.selectors import DayRow
from tenants.selectors.live_pages import LiveComparison
from tenants.stages import api_base_url


def _chart(
    rows: list[DayRow], limit: int | None = None, *, of_conversions: bool = False
) -> dict[str, Any]:
    """Return what the chart draws; dates in the reader's language."""
    return {
        "labels": [formats.date_format(row.day, "MONTH_DAY_FORMAT") for row in rows],
        "used": [row.conversions if of_conversions else row.used for row in rows],
        "limit": limit,
    }


def _key(version: ApiKeyVersion | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "name": version.api_key.name,
        "state": version.status,
        "state_label": version.get_status_display(),
        "last_four": version.last_four,
        "version_id": version.pk,
        "error": version.error,
    }


def _first_version(tenant: Tenant) -> ApiKeyVersion | None:
    key = selectors.api_keys(tenant=tenant).first()
    return selectors.newest_version(api_key=key) if key else None


def _figures(tenant: Tenant) -> dict[str, Any]:
    now = timezone.now()
    usage = selectors.usage_now(tenant=tenant, now=now)
    today = now.astimezone(UTC).date()
    rows = selectors.usage_days(tenant=tenant, start=usage.period_start, end=today, now=now)
    limit = None if usage.unlimited else usage.limit
    return {
        "usage": usage,
        "granted_left": selectors.granted_left(tenant=tenant, now=now),
        "rows": rows[::-1],
        "chart": _chart(rows, limit),
    }


def _first_call(value: str) -> str:
    """Return the call to try a new key with, ready to paste into a terminal."""
    sample = samples.sample("ping", samples.LANGUAGES[0], base_url=api_base_url())
    return sample.text.replace("$API_KEY", value)


@require_safe
@tenant_required
def dashboard(request: TenantRequest) -> HttpResponse:
    """How much is left, and after sign-up, once, the first key's value."""
    tenant = request.member.tenant
    unrevealed, value = value_to_show(request)
    version = unrevealed or _first_version(tenant)
    return render(
        request,
        "portal/dashboard.html",
        {
            "nav": "dashboard",
            "key": _key(version),
            "key_value": value,
            "plan": tenant.usage_plan,
            "first_call": _first_call(value) if value else None,
            "holds": selectors.holds_standing(tenant=tenant),
            **_figures(tenant),
            **live_context(tenant),
        },
    )


@require_safe
@tenant_required
def dashboard_usage(request: TenantRequest) -> HttpResponse:
    """The figures alone, for htmx."""
    context = _figures(request.member.tenant)
    return render(request, "portal/partials/dashboard_usage.html", context)


@require_safe
@tenant_required
def dashboard_key(request: TenantRequest) -> HttpResponse:
    """Where the first key stands, for htmx: pending, active, or failed with the reason."""
    context = {"key": _key(_first_version(request.member.tenant))}
    return render(request, "portal/partials/dashboard_key.html", context)


def _range(request: HttpRequest, tenant: Tenant) -> tuple[UsageRangeForm, dict[str, Any] | None]:
    """Return the bound form and its data; the current period where nothing was asked for."""
    now = timezone.now()
    today = now.astimezone(UTC).date()
    first = selectors.current_period(tenant=tenant, now=now).start
    first = min(first, today - timedelta(days=6))
    asked = {name: request.GET.get(name, "") for name in ("start", "end", "key")}
    meter = request.GET.get("meter") or Meter.REQUESTS
    data = {**asked, "start": asked["start"] or first, "end": asked["end"] or today, "meter": meter}
    form = UsageRangeForm(data, tenant=tenant)
    return form, form.cleaned_data if form.is_valid() else None


def _range_rows(tenant: Tenant, chosen: dict[str, Any]) -> list[DayRow]:
    start: date = chosen["start"]
    end: date = chosen["end"]
    return selectors.usage_days(
        tenant=tenant, start=start, end=end, api_key=chosen["key"], now=timezone.now()
    )


def _comparisons(tenant: Tenant, chosen: dict[str, Any] | None) -> list[LiveComparison]:
    """Return what was counted live beside what is billed: requests, of whole tenants only."""
    if chosen is None or chosen["key"] is not None or chosen["meter"] != Meter.REQUESTS:
        return []
    return selectors.live_comparisons(tenant=tenant, start=chosen["start"], end=chosen["end"])


@require_safe
@tenant_required
def usage(request: TenantRequest) -> HttpResponse:
    """Any range of days: requests, for all keys or one, or conversions."""
    tenant = request.member.tenant
    form, chosen = _range(request, tenant)
    rows = _range_rows(tenant, chosen) if chosen else []
    of_conversions = chosen is not None and chosen["meter"] == Meter.CONVERSIONS
    return render(
        request,
        "portal/usage.html",
        {
            "nav": "usage",
            "form": form,
            "rows": rows[::-1],
            "of_conversions": of_conversions,
            "chart": _chart(rows, of_conversions=of_conversions),
            "totals": {
                "used": sum(row.used for row in rows),
                "conversions": sum(row.conversions for row in rows),
                "days": len(rows),
            },
            "synced_at": selectors.synced_at(tenant=tenant),
            "query": request.GET.urlencode(),
            "comparisons": _comparisons(tenant, chosen),
            **live_context(tenant),
        },
        status=200 if chosen else 400,
    )


@require_safe
@tenant_required
def usage_csv(request: TenantRequest) -> HttpResponse:
    """The same rows as CSV: day (UTC), requests used, remaining, conversions."""
    tenant = request.member.tenant
    form, chosen = _range(request, tenant)
    if chosen is None:
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"usage-{chosen['start']}-{chosen['end']}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow(["day", "used", "remaining", "conversions"])
    for row in _range_rows(tenant, chosen):
        remaining = "" if row.remaining is None else row.remaining
        writer.writerow([row.day.isoformat(), row.used, remaining, row.conversions])
    return response


urlpatterns = [
    path("dashboard/", dashboard, name="dashboard"),
    path("dashboard/usage/", dashboard_usage, name="dashboard-usage"),
    path("dashboard/key/", dashboard_key, name="dashboard-key"),
    path("usage/", usage, name="usage"),
    path("usage.csv", usage_csv, name="usage-csv"),
]

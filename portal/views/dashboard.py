"""The dashboard: how much is left, for how long, and what it costs, in one look.

Figures come from our own rows, and say how old they are.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from conversions import samples
from portal.views.access import TenantRequest, tenant_required
from portal.views.charts import daily_chart, quota_chart
from portal.views.keys import value_to_show
from portal.views.live import live_context
from portal.views.spending import next_invoice
from tenants import selectors
from tenants.models import ApiKeyVersion, Tenant
from tenants.selectors.pace import Outlook, outlook, pace_days
from tenants.stages import api_base_url

FIRST_CALL = "ping"  # the operation of the sold API that a newcomer tries


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
    first = min(usage.period_start, pace_days(usage=usage, now=now))
    known = selectors.usage_days(
        tenant=tenant, start=first, end=now.astimezone(UTC).date(), now=now
    )
    ahead = outlook(usage=usage, rows=known, now=now)
    rows = [row for row in known if row.day >= usage.period_start]
    period = selectors.current_period(tenant=tenant, now=now)
    has_called = usage.first_day is not None
    return {
        "usage": usage,
        "granted_left": selectors.granted_left(tenant=tenant, now=now),
        "outlook": ahead,
        "pace": _pace(ahead, now),
        "cost": next_invoice(tenant, now),
        "waits": not has_called and not selectors.live_today(tenant=tenant, now=now).requests,
        "rows": rows[::-1],
        "is_limited": not usage.unlimited,
        "chart": daily_chart(rows),
        "quota": quota_chart(period=period, rows=rows, expected=ahead.expected),
    }


def _pace(ahead: Outlook, now: datetime) -> dict[str, Any]:
    """Return the outlook's figures as one says them: about so many requests, days or hours."""
    pace = ahead.per_day
    left = ahead.runs_out_at - now if ahead.runs_out_at else timedelta()
    return {
        "per_day": None if pace is None else round(pace) if pace >= 10 else round(pace, 1),
        "days": round(left / timedelta(days=1)) if left >= timedelta(days=1) else 0,
        "hours": max(round(left / timedelta(hours=1)), 1),
    }


def _first_call() -> dict[str, Any]:
    """Return the samples of the first call to make, as portal/partials/samples.html shows them."""
    base_url = api_base_url()
    texts = [samples.sample(FIRST_CALL, each, base_url=base_url) for each in samples.LANGUAGES]
    return {"id": FIRST_CALL, "samples": texts}


@require_safe
@tenant_required
def dashboard(request: TenantRequest) -> HttpResponse:
    """How much is left, and after sign-up, once, the first key's value."""
    tenant = request.member.tenant
    unrevealed, value = value_to_show(request)
    version = unrevealed or _first_version(tenant)
    figures = _figures(tenant)
    return render(
        request,
        "portal/dashboard.html",
        {
            "nav": "dashboard",
            "key": _key(version),
            "key_value": value,
            "plan": tenant.usage_plan,
            "first_call": _first_call() if value or figures["waits"] else None,
            "holds": selectors.holds_standing(tenant=tenant),
            **figures,
            **live_context(tenant),
        },
    )


@require_safe
@tenant_required
def dashboard_usage(request: TenantRequest) -> HttpResponse:
    """The figures alone, for htmx; and, where the page waits for a first call, that it came."""
    context = {**_figures(request.member.tenant), "did_wait": "waiting" in request.GET}
    return render(request, "portal/partials/dashboard_usage.html", context)


@require_safe
@tenant_required
def dashboard_key(request: TenantRequest) -> HttpResponse:
    """Where the first key stands, for htmx: pending, active, or failed with the reason."""
    context = {"key": _key(_first_version(request.member.tenant))}
    return render(request, "portal/partials/dashboard_key.html", context)


urlpatterns = [
    path("dashboard/", dashboard, name="dashboard"),
    path("dashboard/usage/", dashboard_usage, name="dashboard-usage"),
    path("dashboard/key/", dashboard_key, name="dashboard-key"),
]

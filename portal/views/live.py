"""The live panel of the dashboard and of the usage page: our own rows, seconds after the calls."""

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.views.access import TenantRequest, tenant_required
from tenants import selectors
from tenants.models import Tenant
from tenants.selectors.live_pages import LiveHour
from tenants.stages import api_base_url

BEHIND = timedelta(minutes=5)  # later than this, the figures that were synced say more


def live_context(tenant: Tenant) -> dict[str, Any]:
    """Return what the panel shows. Its `state` is off (never seen), behind, quiet or on."""
    now = timezone.now()
    meter = selectors.live_meter()
    hour = selectors.live_hour(tenant=tenant, now=now)
    if meter is None:
        state = "off"
    elif now - meter.come_to > BEHIND:
        state = "behind"
    else:
        state = "quiet" if hour.is_quiet else "on"
    return {
        "live": {
            "state": state,
            "as_of": meter.come_to if meter else None,
            "today": selectors.live_today(tenant=tenant, now=now),
            "bars": hour.bars[::-1],
            "routes": hour.routes,
            "chart": _chart(hour),
            "rate": tenant.usage_plan.rate_limit,
            "base_url": api_base_url(),
        }
    }


def _chart(hour: LiveHour) -> dict[str, Any]:
    return {
        "labels": [f"{bar.minute:%H:%M}" for bar in hour.bars],
        "succeeded": [bar.succeeded for bar in hour.bars],
        "client": [bar.client_errors for bar in hour.bars],
        "server": [bar.server_errors for bar in hour.bars],
        "refused": [bar.refused for bar in hour.bars],
    }


@require_safe
@tenant_required
def live(request: TenantRequest) -> HttpResponse:
    """The figures alone, for htmx; the tables' rows come along, out of band."""
    context = live_context(request.member.tenant)
    return render(request, "portal/partials/live_figures.html", context)


urlpatterns = [path("dashboard/live/", live, name="live")]

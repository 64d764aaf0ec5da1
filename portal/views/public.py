"""What anybody may see: the landing page, the plans, and what machines ask."""

from dataclasses import replace

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

import billing.selectors
import conversions.selectors
from billing.selectors import PlanCard


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home.html", {"nav": "home", **_plans(request)})


@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/plans.html", {"nav": "plans", **_plans(request)})


def _plans(request: HttpRequest) -> dict[str, object]:
    currencies = [code for code, _name in billing.selectors.currency_choices()]
    wanted = request.GET.get("currency", "USD").upper()
    currency = wanted if wanted in currencies else "USD"
    return {
        "plans": _with_retention(billing.selectors.plans_public(currency=currency)),
        "currency": currency,
        "currencies": currencies,
    }


def _with_retention(cards: list[PlanCard]) -> list[PlanCard]:
    """Have each plan say for how long files are kept."""
    kept = conversions.selectors.retention_days()
    told = []
    for card in cards:
        text = _("Files are kept until you delete them")
        if (days := kept.get(card.usage_plan_id)) is not None:
            text = ngettext(
                "Files are kept for %(days)d day", "Files are kept for %(days)d days", days
            ) % {"days": days}
        told.append(replace(card, features=[*card.features, text]))
    return told


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that the process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether what every page needs is there. The gateway is not: pages never call it."""
    problems = {}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # any failure means: not ready
        problems["database"] = str(error)
    try:
        cache.get("readyz")
    except Exception as error:
        problems["cache"] = str(error)
    status = 503 if problems else 200
    return JsonResponse({"status": "ok" if not problems else "failing", **problems}, status=status)


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    return redirect("/static/portal/favicon.svg", permanent=True)


urlpatterns = [
    path("", home, name="home"),
    path("plans/", plans, name="plans"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("favicon.ico", favicon),
]

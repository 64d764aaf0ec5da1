"""What anybody may see: the landing page, the plans, and what machines ask."""

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path

import billing.selectors


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/home.html", {"nav": "home", **_plans(request)})


def plans(request: HttpRequest) -> HttpResponse:
    return render(request, "portal/plans.html", {"nav": "plans", **_plans(request)})


def _plans(request: HttpRequest) -> dict[str, object]:
    currencies = [code for code, _ in billing.selectors.currency_choices()]
    wanted = request.GET.get("currency", "USD").upper()
    currency = wanted if wanted in currencies else "USD"
    return {
        "plans": billing.selectors.plans_public(currency=currency),
        "currency": currency,
        "currencies": currencies,
    }


def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that the process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


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


def favicon(_request: HttpRequest) -> HttpResponse:
    return redirect("/static/portal/favicon.svg", permanent=True)


urlpatterns = [
    path("", home, name="home"),
    path("plans/", plans, name="plans"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("favicon.ico", favicon),
]

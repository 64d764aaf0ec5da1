"""The operators' reports, in the admin under /admin/reports/: for who may view invoices."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.forms_reports import MonthsForm
from billing.report_index import index_cards
from billing.report_pages import ageing_page, cost_page, mrr_page, revenue_page
from billing.report_tables import Page
from billing.reports.months import months_until
from tenants.admin_tools import operator

OF_MONTHS: dict[str, Callable[..., Page]] = {
    "revenue": revenue_page,
    "mrr": mrr_page,
    "cost": cost_page,
}
OF_TODAY: dict[str, Callable[..., Page]] = {"ageing": ageing_page}


def titles() -> dict[str, str]:
    """Return what the reports are called."""
    return {
        "revenue": _("Revenue by plan"),
        "mrr": _("MRR and churn"),
        "ageing": _("Ageing of receivables"),
        "cost": _("Cost to serve"),
    }


def may_view(request: HttpRequest) -> bool:
    """Say whether reports are for this operator."""
    return operator(request).has_perm("billing.view_invoice")


def index(request: HttpRequest) -> HttpResponse:
    """All reports at one look."""
    _demand(request)
    cards = index_cards(now=timezone.now())
    return _answer(request, "index", {"title": _("Reports"), "cards": cards})


def report(request: HttpRequest, name: str) -> HttpResponse:
    """A report: its charts, and the table behind each."""
    _demand(request)
    form, page = _page(request, name, timezone.now())
    context = {"name": name, "form": form, "page": page, "query": request.GET.urlencode()}
    context["title"] = titles()[name]
    return _answer(request, "report", context, status=200 if page else 400)


def report_csv(request: HttpRequest, name: str) -> HttpResponseBase:
    """The same figures as CSV."""
    _demand(request)
    form, page = _page(request, name, timezone.now())
    if page is None:
        text = form.errors.as_text() if form else ""
        return HttpResponse(text, status=400, content_type="text/plain")
    answer = StreamingHttpResponse(page.table.lines(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def _page(request: HttpRequest, name: str, now: datetime) -> tuple[MonthsForm | None, Page | None]:
    """Return a report, with the form of its months where it is of any; none of wrong months."""
    if name in OF_TODAY:
        return None, OF_TODAY[name](now=now)
    if name not in OF_MONTHS:
        raise Http404
    usual = months_until(now)
    asked = {
        end: request.GET.get(end) or f"{getattr(usual, end):%Y-%m}" for end in ("first", "last")
    }
    form = MonthsForm(asked)
    return form, OF_MONTHS[name](months=form.months, now=now) if form.is_valid() else None


def _demand(request: HttpRequest) -> None:
    if not may_view(request):
        raise PermissionDenied


def _answer(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    context |= admin.site.each_context(request)
    return TemplateResponse(
        request, f"admin/billing/reports/{template}.html", context, status=status
    )


urlpatterns = [
    path("", admin.site.admin_view(index), name="reports"),
    path("<slug:name>/", admin.site.admin_view(report), name="report"),
    path("<slug:name>.csv", admin.site.admin_view(report_csv), name="report-csv"),
]

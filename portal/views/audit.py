"""The audit trail: who did what, when, from where; filtered, a page at a time or as CSV."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.money import display
from portal.forms_audit import AuditFilterForm
from portal.views.access import TenantRequest, demand, tenant_required
from tenants import audit_words, selectors
from tenants.export import table
from tenants.models import AuditEntry
from tenants.permissions import Act
from tenants.selectors.audit import AUDIT_COLUMNS

PAGE = 50
_AT_ONCE = 500  # rows that are read together


def _form(request: TenantRequest) -> AuditFilterForm:
    actors = selectors.audit_actors(tenant=request.member.tenant)
    return AuditFilterForm(request.GET, actors=actors)


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "entry": entry,
        "words": audit_words.words_of(entry.action),
        "details": _details(entry.data),
    }


def _details(data: dict[str, Any]) -> dict[str, Any]:
    """Return the particulars, money as money, what is nested with a dot, and nothing empty."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": each for inner, each in _details(value).items()}
        elif isinstance(value, list):
            found[name] = ", ".join(str(each) for each in value)
        else:
            found[name] = value
    if isinstance(found.get("amount"), int) and "currency" in found:
        found["amount"] = display(found["amount"], found.pop("currency"))
    return {name: value for name, value in found.items() if value not in (None, "")}


@require_safe
@tenant_required
def audit(request: TenantRequest) -> HttpResponse:
    demand(request, Act.SEE_AUDIT)
    form = _form(request)
    is_valid = form.is_valid()
    asked = form.asked() if is_valid else selectors.AuditFilter()
    entries = selectors.audit_entries(tenant=request.member.tenant, asked=asked)
    page = Paginator(entries, PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "nav": "settings",
        "form": form,
        "page": page,
        "rows": [_row(entry) for entry in page],
        "is_filtered": asked != selectors.AuditFilter(),
        "query": query.urlencode(),
    }
    return render(request, "portal/audit.html", context, status=200 if is_valid else 400)


@require_safe
@tenant_required
def audit_csv(request: TenantRequest) -> HttpResponseBase:
    """The same entries, all of them. Moments are UTC, in ISO 8601; what is particular is JSON."""
    demand(request, Act.SEE_AUDIT)
    form = _form(request)
    if not form.is_valid():
        return HttpResponse(form.errors.as_text(), status=400, content_type="text/plain")
    entries = selectors.audit_entries(tenant=request.member.tenant, asked=form.asked())
    rows: Iterator[Sequence[Any]] = entries.values_list(*AUDIT_COLUMNS.values()).iterator(_AT_ONCE)
    response = StreamingHttpResponse(
        table(list(AUDIT_COLUMNS), rows), content_type="text/csv; charset=utf-8"
    )
    name = f"audit-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


urlpatterns = [
    path("settings/audit/", audit, name="audit"),
    path("settings/audit.csv", audit_csv, name="audit-csv"),
]

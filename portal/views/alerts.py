"""Alerts: what the organisation was told, and how it wants to be told."""

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.forms_alerts import AlertSettingsForm, SpendingAlertsForm
from portal.views.access import TenantRequest, demand, tenant_required
from portal.views.paging import asked_before
from tenants import selectors, services, unsubscribing
from tenants.alert_types import alert_type, alert_types
from tenants.errors import Refused
from tenants.models import Alert, AlertSettings
from tenants.permissions import Act, may

PAGE = 25


def _row(alert: Alert) -> dict[str, Any]:
    """Return an alert in the reader's words."""
    kind = alert_type(alert.kind)
    return {
        "alert": alert,
        "label": kind.label,
        "title": kind.title(alert.data),
        "text": kind.text(alert.data),
        "action": kind.action,
        "path": kind.path(alert.data),
    }


@require_safe
@tenant_required
def alerts(request: TenantRequest) -> HttpResponse:
    before = asked_before(request)
    found, older = selectors.alerts_page(tenant=request.member.tenant, before=before, count=PAGE)
    context = {
        "nav": "alerts",
        "alerts": [_row(alert) for alert in found],
        "older": older,
        "is_first": before is None,
        "types": alert_types(),
    }
    return render(request, "portal/alerts.html", context)


@require_POST
@tenant_required
def alerts_see(request: TenantRequest) -> HttpResponse:
    services.alerts_see(tenant=request.member.tenant, actor=request.user, now=timezone.now())
    return redirect("alerts")


@require_POST
@tenant_required
def alert_see(request: TenantRequest, alert_id: uuid.UUID) -> HttpResponse:
    tenant = request.member.tenant
    alert = get_object_or_404(selectors.alerts(tenant=tenant), uuid=alert_id)
    services.alerts_see(tenant=tenant, alert=alert, actor=request.user, now=timezone.now())
    return redirect("alerts")


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, unsubscribe_token: str) -> HttpResponse:
    """Stop the mails of whoever was sent this link. It takes no session, nor a page before it:
    mail programs post here by themselves (RFC 8058). They also open links, so that GET only asks.
    """
    member_id = unsubscribing.member_id_of(unsubscribe_token)
    if member_id is None:
        raise Http404
    found = selectors.member_by_id(member_id=member_id)
    if found is not None and request.method == "POST":
        services.alert_mails_choose(member=found, wanted=False, now=timezone.now())
        found.alert_mails = False
    return render(request, "portal/unsubscribe.html", {"reader": found})


@require_POST
@tenant_required
def mails_choose(request: TenantRequest) -> HttpResponse:
    """Get the alerts by mail oneself, or none of them; whatever others get."""
    wanted = request.POST.get("wanted") == "yes"
    services.alert_mails_choose(member=request.member, wanted=wanted, now=timezone.now())
    text = _("You get alerts by mail again.") if wanted else _("You get no alerts by mail.")
    messages.success(request, text)
    return redirect("alert-settings")


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def settings_page(request: TenantRequest) -> HttpResponse:
    if request.method == "POST":
        demand(request, Act.CHANGE_SETTINGS)
        form = AlertSettingsForm(request.POST, settings=_settings(request))
        return _save(request, form, Act.CHANGE_SETTINGS)
    return _settings_page(request)


@require_POST
@tenant_required
def spending(request: TenantRequest) -> HttpResponse:
    """Change when spending is told of; another form, for it is for whoever may buy."""
    demand(request, Act.BUY)
    currency = request.member.tenant.customer.currency
    form = SpendingAlertsForm(request.POST, settings=_settings(request), currency=currency)
    return _save(request, form, Act.BUY)


def _settings(request: TenantRequest) -> AlertSettings:
    return selectors.alert_settings(tenant=request.member.tenant)


def _save(request: TenantRequest, form: Form, act: Act) -> HttpResponse:
    if form.is_valid():
        try:
            services.alert_settings_update(
                tenant=request.member.tenant,
                actor=request.user,
                now=timezone.now(),
                **form.cleaned_data,
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("alert-settings")
    return _settings_page(request, {act: form}, status=400)


def _settings_page(
    request: TenantRequest, sent: Mapping[Act, Form] = MappingProxyType({}), *, status: int = 200
) -> HttpResponse:
    """Return the page with the form that was sent, and what stands in the others."""
    settings = _settings(request)
    customer = getattr(request.member.tenant, "customer", None)
    forms = {Act.CHANGE_SETTINGS: AlertSettingsForm(settings=settings), **sent}
    if customer is not None and Act.BUY not in sent:
        forms[Act.BUY] = SpendingAlertsForm(settings=settings, currency=customer.currency)
    for act, form in forms.items():
        for field in form.fields.values():
            field.disabled = not may(request.member, act)
    context = {
        "nav": "settings",
        "form": forms[Act.CHANGE_SETTINGS],
        "spending_form": forms.get(Act.BUY),
    }
    return render(request, "portal/alert_settings.html", context, status=status)


urlpatterns = [
    path("alerts/", alerts, name="alerts"),
    path("alerts/seen/", alerts_see, name="alerts-see"),
    path("alerts/<uuid:alert_id>/seen/", alert_see, name="alert-see"),
    path("alerts/unsubscribe/<str:unsubscribe_token>/", unsubscribe, name="alerts-unsubscribe"),
    path("settings/alerts/mails/", mails_choose, name="alert-mails"),
    path("settings/alerts/", settings_page, name="alert-settings"),
    path("settings/alerts/spending/", spending, name="alert-settings-spending"),
]

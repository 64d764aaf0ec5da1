"""Webhook endpoints: list, add, edit, disable, delete, rotate the secret; what events there are.

A new secret is shown once, on the endpoint's page. Between the POST and that page it is nowhere.
(The webhooks that Stripe sends us are in webhooks.py.)
"""

import json
import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.forms_webhooks import ReplaySinceForm, WebhookEndpointForm
from portal.views.access import TenantRequest, demand, tenant_required
from portal.views.paging import asked_before
from tenants import selectors, services
from tenants.errors import Refused
from tenants.models import DeliveryState, WebhookEndpoint
from tenants.permissions import Act, may
from tenants.recent import demand_recently_authenticated, is_recently_authenticated
from tenants.webhook_types import event_types

PAGE = 25  # deliveries on one page of the log


def endpoint_or_404(request: TenantRequest, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Return the tenant's own endpoint; a stranger's does not exist."""
    endpoints = selectors.webhook_endpoints(tenant=request.member.tenant)
    return get_object_or_404(endpoints, uuid=endpoint_id)


def endpoint_to_change(request: TenantRequest, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Return the tenant's own endpoint to somebody who may change it."""
    demand(request, Act.CHANGE_WEBHOOKS)
    return endpoint_or_404(request, endpoint_id)


def _page(request: TenantRequest, template: str, *, status: int = 200, **more: Any) -> HttpResponse:
    return render(request, template, {"nav": "settings", **more}, status=status)


@require_safe
@tenant_required
def endpoints(request: TenantRequest) -> HttpResponse:
    found = selectors.webhook_endpoints(tenant=request.member.tenant)
    return _page(request, "portal/webhooks.html", endpoints=found)


@require_safe
@tenant_required
def events(request: TenantRequest) -> HttpResponse:
    """What endpoints hear of, with an example of each body."""
    rows = [
        {
            "name": each.name,
            "label": each.label,
            "example": json.dumps(
                {"type": each.name, "timestamp": "2026-11-26T09:30:00Z", "data": each.example},
                ensure_ascii=False,
                indent=2,
            ),
        }
        for each in event_types()
    ]
    return _page(request, "portal/webhook_events.html", types=rows)


def _form(request: TenantRequest, endpoint: WebhookEndpoint | None) -> HttpResponse:
    if endpoint is None:
        form = WebhookEndpointForm(request.POST or None)
    else:
        now = {name: getattr(endpoint, name) for name in WebhookEndpointForm.base_fields}
        form = WebhookEndpointForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        if endpoint is None:  # its secret is shown next
            demand_recently_authenticated(request)
        act = {**form.cleaned_data, "actor": request.user, "now": timezone.now()}
        try:
            if endpoint is None:
                saved = services.webhook_endpoint_create(tenant=request.member.tenant, **act)
            else:
                saved = services.webhook_endpoint_update(endpoint=endpoint, **act)
            return redirect("webhook", endpoint_id=saved.uuid)
        except Refused as refusal:
            form.add_error("url", str(refusal))
    return _page(
        request,
        "portal/webhook_form.html",
        status=400 if request.method == "POST" else 200,
        form=form,
        endpoint=endpoint,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def endpoint_create(request: TenantRequest) -> HttpResponse:
    demand(request, Act.CHANGE_WEBHOOKS)
    return _form(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def endpoint_edit(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    return _form(request, endpoint_to_change(request, endpoint_id))


@require_safe
@tenant_required
def endpoint(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    """Where an endpoint stands, its new secret this once, and a page of its log."""
    found = endpoint_or_404(request, endpoint_id)
    state = request.GET.get("state", "")
    deliveries, last = selectors.webhook_deliveries_page(
        endpoint=found,
        state=state if state in DeliveryState.values else "",
        before=asked_before(request),
        count=PAGE,
    )
    secret, is_to_show = None, False
    if request.method == "GET" and may(request.member, Act.CHANGE_WEBHOOKS):
        is_to_show = found.secret_revealed_at is None
        if is_to_show and is_recently_authenticated(request):
            secret = services.webhook_secret_reveal(endpoint=found, now=timezone.now())
    return _page(
        request,
        "portal/webhook.html",
        endpoint=found,
        secret=secret,
        is_secret_hidden=is_to_show and secret is None,
        old_secret_until=_still(found),
        deliveries=deliveries,
        older=last,
        state=state,
        states=DeliveryState.choices,
        replay_form=ReplaySinceForm(),
    )


def _still(endpoint: WebhookEndpoint) -> Any:
    """Return until when the secret before the last one signs, while it does."""
    until = endpoint.previous_secret_until
    return until if until and until > timezone.now() else None


@require_POST
@tenant_required
def endpoint_disable(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    found = endpoint_to_change(request, endpoint_id)
    services.webhook_endpoint_disable(endpoint=found, actor=request.user, now=timezone.now())
    messages.success(request, _("Nothing is sent to this endpoint any more."))
    return redirect("webhook", endpoint_id=found.uuid)


@require_POST
@tenant_required
def endpoint_enable(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    found = endpoint_to_change(request, endpoint_id)
    services.webhook_endpoint_enable(endpoint=found, actor=request.user, now=timezone.now())
    messages.success(
        request, _("It hears of what happens from now on. What failed can be replayed.")
    )
    return redirect("webhook", endpoint_id=found.uuid)


@require_POST
@tenant_required
def endpoint_delete(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    found = endpoint_to_change(request, endpoint_id)
    services.webhook_endpoint_delete(endpoint=found, actor=request.user, now=timezone.now())
    messages.success(request, _("The endpoint was deleted."))
    return redirect("webhooks")


@require_POST
@tenant_required
def secret_rotate(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    found = endpoint_to_change(request, endpoint_id)
    demand_recently_authenticated(request)
    services.webhook_secret_rotate(endpoint=found, actor=request.user, now=timezone.now())
    return redirect("webhook", endpoint_id=found.uuid)


_ONE = "settings/webhooks/<uuid:endpoint_id>/"
urlpatterns = [
    path("settings/webhooks/", endpoints, name="webhooks"),
    path("settings/webhooks/events/", events, name="webhook-events"),
    path("settings/webhooks/create/", endpoint_create, name="webhook-create"),
    path(_ONE, endpoint, name="webhook"),
    path(f"{_ONE}edit/", endpoint_edit, name="webhook-edit"),
    path(f"{_ONE}disable/", endpoint_disable, name="webhook-disable"),
    path(f"{_ONE}enable/", endpoint_enable, name="webhook-enable"),
    path(f"{_ONE}delete/", endpoint_delete, name="webhook-delete"),
    path(f"{_ONE}rotate/", secret_rotate, name="webhook-rotate"),
]

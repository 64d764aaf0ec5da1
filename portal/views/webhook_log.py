"""What was sent to webhook endpoints: one delivery with its tries, tests, and replays."""

import uuid
from datetime import UTC, datetime, time
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from portal.forms_webhooks import ReplaySinceForm
from portal.views.access import TenantRequest, demand, refusals_told, tenant_required
from portal.views.webhook_endpoints import endpoint_to_change
from tenants import selectors, services
from tenants.errors import Refused
from tenants.models import DeliveryState, WebhookDelivery
from tenants.permissions import Act
from tenants.services.webhook_delivery import body_of


def _delivery_or_404(request: TenantRequest, delivery_id: uuid.UUID) -> WebhookDelivery:
    deliveries = selectors.webhook_deliveries(tenant=request.member.tenant)
    return get_object_or_404(deliveries, uuid=delivery_id)


def _context(found: WebhookDelivery) -> dict[str, Any]:
    return {
        "nav": "settings",
        "delivery": found,
        "endpoint": found.endpoint,
        "body": body_of(found.event),
        "attempts": found.attempt_set.order_by("-id"),
        "is_pending": found.state == DeliveryState.PENDING,
    }


@require_safe
@tenant_required
def delivery(request: TenantRequest, delivery_id: uuid.UUID) -> HttpResponse:
    context = _context(_delivery_or_404(request, delivery_id))
    return render(request, "portal/webhook_delivery.html", context)


@require_safe
@tenant_required
def delivery_state(request: TenantRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """The part of that page which changes while it is pending, for htmx."""
    context = _context(_delivery_or_404(request, delivery_id))
    return render(request, "portal/partials/webhook_attempts.html", context)


@require_POST
@tenant_required
def delivery_replay(request: TenantRequest, delivery_id: uuid.UUID) -> HttpResponse:
    demand(request, Act.CHANGE_WEBHOOKS)
    found = _delivery_or_404(request, delivery_id)
    with refusals_told(request):
        services.webhook_replay(delivery=found, actor=request.user, now=timezone.now())
    return redirect("webhook-delivery", delivery_id=found.uuid)


@require_POST
@tenant_required
def test_send(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    """Send a test event, and show what becomes of it."""
    endpoint = endpoint_to_change(request, endpoint_id)
    try:
        sent = services.webhook_test_send(endpoint=endpoint, actor=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("webhook", endpoint_id=endpoint.uuid)
    return redirect("webhook-delivery", delivery_id=sent.uuid)


@require_POST
@tenant_required
def replay_failed(request: TenantRequest, endpoint_id: uuid.UUID) -> HttpResponse:
    endpoint = endpoint_to_change(request, endpoint_id)
    form = ReplaySinceForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a day."))
        return redirect("webhook", endpoint_id=endpoint.uuid)
    since = datetime.combine(form.cleaned_data["since"], time(), tzinfo=UTC)
    with refusals_told(request):
        count = services.webhook_replay_failed(
            endpoint=endpoint, since=since, actor=request.user, now=timezone.now()
        )
        text = ngettext("%(count)d event is sent again.", "%(count)d events are sent again.", count)
        if count == services.MOST_REPLAYED:
            text = _("The oldest %(count)d events are sent again. Replay once more for the next.")
        messages.success(request, text % {"count": count})
    return redirect("webhook", endpoint_id=endpoint.uuid)


_ENDPOINT = "settings/webhooks/<uuid:endpoint_id>/"
_DELIVERY = "settings/webhooks/deliveries/<uuid:delivery_id>/"
urlpatterns = [
    path(f"{_ENDPOINT}test/", test_send, name="webhook-test"),
    path(f"{_ENDPOINT}replay/", replay_failed, name="webhook-replay-failed"),
    path(_DELIVERY, delivery, name="webhook-delivery"),
    path(f"{_DELIVERY}state/", delivery_state, name="webhook-delivery-state"),
    path(f"{_DELIVERY}replay/", delivery_replay, name="webhook-replay"),
]

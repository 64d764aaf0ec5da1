"""A tenant's webhook endpoints and what was sent to them, and whose turn it is."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from tenants.ids import Ids
from tenants.models import DeliveryState, Tenant, WebhookDelivery, WebhookEndpoint
from tenants.selectors.paging import page_behind


def webhook_endpoints(*, tenant: Tenant) -> QuerySet[WebhookEndpoint]:
    """Return a tenant's endpoints, oldest first."""
    return WebhookEndpoint.objects.filter(tenant=tenant).select_related("tenant").order_by("id")


def webhook_deliveries(*, tenant: Tenant) -> QuerySet[WebhookDelivery]:
    """Return what was and is to be sent to a tenant's endpoints, newest first."""
    deliveries = WebhookDelivery.objects.filter(endpoint__tenant=tenant)
    return deliveries.select_related("event", "endpoint").order_by("-id")


def webhook_deliveries_page(
    *, endpoint: WebhookEndpoint, state: str, before: uuid.UUID | None, count: int
) -> tuple[list[WebhookDelivery], WebhookDelivery | None]:
    """Return up to `count` of an endpoint's deliveries older than `before`, newest first, and the
    one that the next page begins before; None where there is no next page.

    `state` is one of DeliveryState, or empty for all.
    """
    rows = endpoint.deliveries.select_related("event")
    behind = rows.filter(uuid=before).values_list("created_at", "pk").first() if before else None
    if state:
        rows = rows.filter(state=state)
    return page_behind(rows, at="created_at", behind=behind, count=count)


def webhook_endpoints_due(*, now: datetime) -> list[int]:
    """Return the ids of the endpoints that wait for a worker."""
    due = WebhookDelivery.objects.filter(
        state=DeliveryState.PENDING, next_attempt_at__lte=now, endpoint__disabled_at=None
    ).exclude(endpoint__claimed_until__gt=now)
    return list(due.order_by("endpoint").values_list("endpoint", flat=True).distinct())


def webhook_listeners(*, event_type: str, tenant_ids: Iterable[int]) -> set[int]:
    """Return which of these tenants have an active endpoint that wants events of this type."""
    active = WebhookEndpoint.objects.filter(disabled_at=None, tenant_id__in=Ids(tenant_ids))
    return {endpoint.tenant_id for endpoint in active if endpoint.wants(event_type)}

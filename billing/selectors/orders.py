"""A tenant's orders, and how far they have come."""

from datetime import datetime
from uuid import UUID

import tenants.selectors
from billing.models import Order, OrderPurpose, OrderState
from tenants.models import Tenant


def order_by_uuid(*, tenant: Tenant, order_uuid: UUID) -> Order | None:
    """Return the tenant's own order."""
    mine = Order.objects.filter(tenant=tenant, uuid=order_uuid)
    return mine.select_related("tenant__usage_plan", "subscription", "pack").first()


def order_is_applied(order: Order, *, now: datetime) -> bool:
    """Say whether what was bought is there: the gateway has what it changes."""
    if order.state != OrderState.FULFILLED:
        return False
    if order.purpose == OrderPurpose.EXTENSION:
        return tenants.selectors.grant_is_applied(source=f"order:{order.uuid}")
    return tenants.selectors.is_in_step(tenant=order.tenant, now=now)

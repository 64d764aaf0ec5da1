"""Spending caps that another price, plan or month has made wrong are reckoned anew, every hour.

Which those are is read for many tenants at once: nearly always it is none.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import structlog
from django.db.models import OuterRef, Subquery

import tenants.selectors
from billing.models import CapChange, SpendingCap, Subscription, SubscriptionState
from billing.services.caps import allowed_of, cap_follow

log = structlog.get_logger(__name__)

_BATCH = 1_000


def caps_sweep(*, now: datetime) -> None:
    """Reckon the caps anew that are not what they should be. One tenant's failure stops no other's.

    The queries do not grow with the number of tenants, but by the batch.
    """
    caps = SpendingCap.objects.select_related("tenant__usage_plan").order_by("pk").iterator()
    while batch := list(islice(caps, _BATCH)):
        try:
            wrong = list(_wrong(batch, now))
        except Exception:
            log.exception("caps.not_read")
            wrong = batch
        for cap in wrong:
            try:
                cap_follow(tenant=cap.tenant, now=now)
            except Exception:
                log.exception("cap.not_followed", tenant=cap.tenant_id)


def _wrong(caps: Sequence[SpendingCap], now: datetime) -> Iterator[SpendingCap]:
    """Yield the caps of which something that was written is not what they come to now."""
    last = CapChange.objects.filter(subscription=OuterRef("pk")).values("requests")[:1]
    rows = Subscription.objects.filter(
        tenant__in=[cap.tenant_id for cap in caps], state=SubscriptionState.ACTIVE
    ).select_related("tenant", "plan__usage_plan", "price")
    active: dict[int, Any] = {  # subscriptions, with what was `noted` last
        each.tenant_id: each
        for each in rows.prefetch_related("price__tiers").annotate(noted=Subquery(last))
    }
    amounts = {active[cap.tenant_id]: cap.amount for cap in caps if cap.tenant_id in active}
    allowed = allowed_of(amounts, now)
    written = tenants.selectors.caps_written(tenants=[cap.tenant for cap in caps], now=now)
    for cap in caps:
        subscription = active.get(cap.tenant_id)
        most = allowed.get(subscription) if subscription else None
        is_noted = subscription is None or subscription.noted == (most.own if most else None)
        is_right = (
            is_noted
            and cap.requests == (most.own if most else 0)
            and cap.tenant_id in written
            and written[cap.tenant_id] == (most.in_all if most else None)
        )
        if not is_right:
            yield cap

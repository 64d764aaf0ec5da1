"""Do a call once, and keep its answer for a day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from tenants.models import IdempotentCall, Tenant

KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Answer:
    """What a call is answered: a status, and what JSON is made of."""

    status: int
    body: Any


def call_once(
    *,
    tenant: Tenant,
    caller: str,
    key: str,
    fingerprint: str,
    act: Callable[[], Answer],
    now: datetime,
) -> IdempotentCall | None:
    """Act and keep the answer, in one transaction; or return the call that was answered before.

    None: it was done now. What `act` raises undoes both, so that a refusal is not kept. Of two at
    the same time, the second waits at the unique key until the first is done, or undone.
    """
    with transaction.atomic():
        same = IdempotentCall.objects.filter(tenant=tenant, caller=caller, key=key)
        same.filter(called_at__lte=now - KEPT).delete()
        call, is_first = IdempotentCall.objects.get_or_create(
            tenant=tenant,
            caller=caller,
            key=key,
            defaults={"fingerprint": fingerprint, "status": 0, "called_at": now},
        )
        if not is_first:
            return call
        answer = act()
        call.status, call.body = answer.status, answer.body
        call.save(update_fields=["status", "body"])
        return None


def idempotent_calls_prune(*, now: datetime) -> None:
    """Forget the calls that were kept for a day."""
    with transaction.atomic():
        IdempotentCall.objects.filter(called_at__lte=now - KEPT).delete()

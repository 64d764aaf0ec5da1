"""Send what is due to webhook endpoints: claimed and written down first, sent outside, noted after.

One worker at a time is at an endpoint, and at most MOST_AT_ONCE are at one tenant's, so nobody's
slow endpoint holds up others. An endpoint that hangs keeps its claim for a while after.

A worker that dies after a send has not noted the answer, so the event goes out again, under the
same `webhook-id`: at least once. No order is promised.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.conf import settings
from django.db import transaction
from standardwebhooks import Webhook

from tenants import outgoing, webhook_secrets
from tenants.models import (
    DeliveryState,
    DisabledReason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.services.webhooks import disable, failing_tell
from tenants.webhook_types import TEST

# When a try that failed is followed by the next, at the earliest: the schedule that the
# specification of Standard Webhooks suggests. The last comes 75 hours after the first.
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_RETRY_AFTER = timedelta(days=1)
WARN_AFTER = timedelta(days=1)  # without a success
GIVE_UP_AFTER = timedelta(days=3)  # likewise, and an event's schedule at its end
CLAIM = timedelta(minutes=1)  # longer than one try takes
RUN = timedelta(seconds=30)  # then it is another endpoint's turn
MOST_AT_ONCE = 2  # of one tenant's endpoints


def endpoint_deliver(*, endpoint_id: int, clock: Callable[[], datetime]) -> bool:
    """Send what is due to one endpoint, oldest first; return whether there may be more to send.

    Does nothing where another worker is at it, or enough are at its tenant's: a sweep comes back.
    """
    if not _claim(endpoint_id, now=clock()):
        return False
    until = clock() + RUN
    while clock() < until:
        attempt = _attempt_begin(endpoint_id, now=clock())
        if attempt is None:
            return False
        retry_after = _attempt_make(attempt)
        attempt.ended_at = clock()
        _attempt_note(attempt, retry_after=retry_after)
        if attempt.failure == outgoing.Failure.TIMEOUT:
            return False  # the claim stands: others go first
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(claimed_until=None)
    return True


@transaction.atomic
def _claim(endpoint_id: int, *, now: datetime) -> bool:
    found = WebhookEndpoint.objects.filter(pk=endpoint_id).values("tenant").first()
    if found is None:
        return False
    siblings = WebhookEndpoint.objects.select_for_update().filter(tenant=found["tenant"])
    claimed = {
        each.pk
        for each in siblings.order_by("id")
        if each.claimed_until and each.claimed_until > now
    }
    if endpoint_id in claimed or len(claimed) >= MOST_AT_ONCE:
        return False
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(claimed_until=now + CLAIM)
    return True


@transaction.atomic
def _attempt_begin(endpoint_id: int, *, now: datetime) -> WebhookAttempt | None:
    """Write the next try down with all that it sends. Where nothing is due, end the claim."""
    endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id).first()
    if endpoint is None:
        return None
    due = WebhookDelivery.objects.filter(
        endpoint=endpoint, state=DeliveryState.PENDING, next_attempt_at__lte=now
    )
    delivery = due.select_related("event").order_by("next_attempt_at", "id").first()
    endpoint.claimed_until = now + CLAIM if delivery else None
    endpoint.save(update_fields=["claimed_until"])
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.next_attempt_at = now + CLAIM  # by then this worker is dead
    delivery.save(update_fields=["attempts", "next_attempt_at"])
    return WebhookAttempt.objects.create(
        delivery=delivery,
        url=endpoint.url,
        request_headers=headers_of(delivery.event, endpoint=endpoint, now=now),
        started_at=now,
    )


def body_of(event: WebhookEvent) -> str:
    """Return what is sent, and signed: the same at each try."""
    occurred_at = event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    body = {"type": event.type, "timestamp": occurred_at, "data": event.data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def headers_of(event: WebhookEvent, *, endpoint: WebhookEndpoint, now: datetime) -> dict[str, str]:
    """Return the headers of a try, signed with the secret, and with the one before in its time."""
    secrets = [endpoint.secret_uuid]
    until = endpoint.previous_secret_until
    if endpoint.previous_secret_uuid and until and now < until:
        secrets.append(endpoint.previous_secret_uuid)
    signatures = [
        Webhook(webhook_secrets.derive(each, secret=settings.WEBHOOK_SIGNING_SECRET)).sign(
            msg_id=str(event.uuid), timestamp=now.astimezone(UTC), data=body_of(event)
        )
        for each in secrets
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Sekisho ({settings.SITE_URL})",
        "webhook-id": str(event.uuid),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _attempt_make(attempt: WebhookAttempt) -> str:
    """Send, and put the outcome on the attempt, unsaved; return what Retry-After says."""
    try:
        answer = outgoing.post(
            url=attempt.url,
            headers=attempt.request_headers,
            body=body_of(attempt.delivery.event).encode(),
            allowed=settings.WEBHOOK_ALLOWED_NETWORKS,
        )
    except outgoing.NotSent as error:
        attempt.failure, attempt.failure_detail = error.reason, str(error)[:200]
        return ""
    attempt.status, attempt.answer = answer.status, answer.body
    return answer.retry_after


@transaction.atomic
def _attempt_note(attempt: WebhookAttempt, *, retry_after: str) -> None:
    """Write an outcome down, and what follows from it. Everything may have been deleted since."""
    now = attempt.ended_at
    endpoint = (
        WebhookEndpoint.objects.select_for_update(of=("self",))
        .select_related("tenant")
        .filter(deliveries=attempt.delivery_id)
        .first()
    )
    if now is None or endpoint is None:
        return
    delivery = WebhookDelivery.objects.select_related("event").get(pk=attempt.delivery_id)
    attempt.save(update_fields=["ended_at", "status", "answer", "failure", "failure_detail"])
    if attempt.is_success:
        delivery.state, delivery.next_attempt_at = DeliveryState.SUCCEEDED, None
        delivery.save(update_fields=["state", "next_attempt_at"])
        endpoint.failing_since = None
        endpoint.save(update_fields=["failing_since"])
        return
    is_last = not delivery.attempt_set.filter(pk__gt=attempt.pk).exists()
    if is_last and delivery.state == DeliveryState.PENDING:
        wait = None if delivery.event.type == TEST else wait_after(delivery.attempts)
        asked = retry_after_of(retry_after, now=now)
        delivery.next_attempt_at = None if wait is None else now + max(wait, asked)
        delivery.state = DeliveryState.FAILED if wait is None else DeliveryState.PENDING
        delivery.save(update_fields=["state", "next_attempt_at"])
        if delivery.event.type != TEST:
            endpoint.failing_since = endpoint.failing_since or attempt.started_at
            endpoint.save(update_fields=["failing_since"])
    _look_after(endpoint, delivery, attempt)


def _look_after(
    endpoint: WebhookEndpoint, delivery: WebhookDelivery, attempt: WebhookAttempt
) -> None:
    """Disable an endpoint that is dead, and warn of one that is dying."""
    now = attempt.ended_at
    if now is None or not endpoint.is_active:
        return
    since = endpoint.failing_since
    if attempt.status == 410:
        disable(endpoint=endpoint, reason=DisabledReason.GONE, actor=None, now=now)
    elif delivery.state == DeliveryState.FAILED and since and now - since >= GIVE_UP_AFTER:
        disable(endpoint=endpoint, reason=DisabledReason.FAILING, actor=None, now=now)
    elif since and now - since >= WARN_AFTER:
        failing_tell(endpoint=endpoint, since=since, now=now)


def wait_after(attempts: int) -> timedelta | None:
    """Return how long to wait after so many tries; None where there is no further one."""
    return SCHEDULE[attempts - 1] if attempts <= len(SCHEDULE) else None


def retry_after_of(text: str, *, now: datetime) -> timedelta:
    """Return what a Retry-After asks for, at most a day; nothing where it is not understood."""
    if text.isascii() and text.isdecimal():
        return min(timedelta(seconds=int(text[:6])), MOST_RETRY_AFTER)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year that no date has
        return timedelta(0)
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return min(max(then - now, timedelta(0)), MOST_RETRY_AFTER)

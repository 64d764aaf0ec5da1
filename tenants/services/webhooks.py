"""Webhook endpoints: create, change, disable, delete, and their secrets."""

import ipaddress
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import httpx
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from tenants import webhook_secrets
from tenants.errors import Invalid, Refused
from tenants.models import (
    DeliveryState,
    DisabledReason,
    Tenant,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.outgoing import is_within
from tenants.permissions import Act
from tenants.services.audit import audit_record
from tenants.services.leaving import tenant_open_check
from tenants.services.mails import mail_members
from tenants.webhook_types import event_type

MOST_ENDPOINTS = 10
MOST_URL = 500
_HOST = re.compile(rb"[-._A-Za-z0-9]+|[0-9a-f:.]*:[0-9a-f:.]*")
OVERLAP = timedelta(hours=24)  # how long the secret before the last one still signs


def webhook_url_checked(url: str) -> str:
    """Return the URL as it will be called. Raise Invalid.

    Where the host's name leads is looked at when something is sent, each time (outgoing.py).
    """
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise Invalid(_("This is not a URL."), field="url") from error
    is_host = _HOST.fullmatch(parsed.raw_host) and 0 < (parsed.port or 443) < 65536
    if parsed.scheme not in {"https", "http"} or not is_host or len(str(parsed)) > MOST_URL:
        text = _("Give a URL that begins with https://, of at most 500 characters.")
        raise Invalid(text, field="url")
    if parsed.userinfo or parsed.fragment:
        raise Invalid(_("Give a URL without a user, a password and a #."), field="url")
    if parsed.scheme == "http" and not _is_allowed(parsed.host):
        text = _("Use https: this portal sends what it signs over secure connections only.")
        raise Invalid(text, field="url")
    return str(parsed)


def _is_allowed(host: str) -> bool:
    """Say whether plain http may go to this host: an address in the networks that are allowed."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return False
    return is_within(address, settings.WEBHOOK_ALLOWED_NETWORKS)


def _types_checked(event_types: Iterable[str]) -> list[str]:
    """Return the types without what is there twice. Raise Invalid for one that nobody knows."""
    types = sorted(set(event_types))
    if unknown := [each for each in types if event_type(each) is None]:
        text = _("There is no event type “%(name)s”.") % {"name": unknown[0]}
        raise Invalid(text, field="event_types")
    return types


@transaction.atomic
def webhook_endpoint_create(
    *,
    tenant: Tenant,
    url: str,
    description: str,
    event_types: Sequence[str],
    actor: User | None,
    now: datetime,
) -> WebhookEndpoint:
    """Add an endpoint; no event types mean all. Raise Invalid for a bad URL or type, Refused for
    one more than MOST_ENDPOINTS.
    """
    url, types = webhook_url_checked(url), _types_checked(event_types)
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    tenant_open_check(tenant=tenant)
    if WebhookEndpoint.objects.filter(tenant=tenant).count() >= MOST_ENDPOINTS:
        raise Refused(
            _("You have %(count)d endpoints; delete one first.") % {"count": MOST_ENDPOINTS}
        )
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant,
        url=url,
        description=description,
        event_types=types,
        created_by=actor,
        created_at=now,
    )
    audit_record(action="webhook.created", tenant=tenant, actor=actor, now=now, target=url[:200])
    return endpoint


def endpoint_locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Lock an endpoint's tenant and then its row, for what somebody asks for (preconditions.py).

    Workers lock the row alone, and then add rows that refer to the tenant: no key of it is locked.
    """
    tenant = Tenant.objects.select_for_update(no_key=True).get(pk=endpoint.tenant_id)
    locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    locked.tenant = tenant
    return locked


@transaction.atomic
def webhook_endpoint_update(
    *,
    endpoint: WebhookEndpoint,
    url: str,
    description: str,
    event_types: Sequence[str],
    actor: User | None,
    now: datetime,
) -> WebhookEndpoint:
    """Change where an endpoint is and what it hears of. Raise Invalid for a bad URL or type.

    What waits for it goes to the new URL.
    """
    url, types = webhook_url_checked(url), _types_checked(event_types)
    endpoint = endpoint_locked(endpoint)
    previous = {"url": endpoint.url, "event_types": endpoint.event_types}
    endpoint.url, endpoint.description, endpoint.event_types = url, description, types
    endpoint.save(update_fields=["url", "description", "event_types"])
    audit_record(
        action="webhook.updated", tenant=endpoint.tenant, actor=actor, now=now, target=url[:200],
        previous=previous, event_types=types,
    )  # fmt: skip
    return endpoint


@transaction.atomic
def webhook_endpoint_disable(
    *, endpoint: WebhookEndpoint, actor: User | None, now: datetime
) -> None:
    """Stop sending to an endpoint; again does nothing."""
    endpoint = endpoint_locked(endpoint)
    if endpoint.is_active:
        disable(endpoint=endpoint, reason=DisabledReason.MEMBER, actor=actor, now=now)


def disable(
    *, endpoint: WebhookEndpoint, reason: DisabledReason, actor: User | None, now: datetime
) -> None:
    """Stop sending to an endpoint that is locked. What waits has failed, and may be replayed."""
    endpoint.disabled_at, endpoint.disabled_reason = now, reason
    endpoint.save(update_fields=["disabled_at", "disabled_reason"])
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING)
    waiting.update(state=DeliveryState.FAILED, next_attempt_at=None)
    audit_record(
        action="webhook.disabled", tenant=endpoint.tenant, actor=actor, now=now,
        target=endpoint.url[:200], reason=reason,
    )  # fmt: skip
    if reason != DisabledReason.MEMBER:
        _disabled_tell(endpoint, now)


def _disabled_tell(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Mail those who may enable it again: by webhook they would not hear of it."""
    mail_members(
        tenant=endpoint.tenant, act=Act.CHANGE_WEBHOOKS, kind="tenants.webhook_disabled", now=now,
        key=f"webhook-disabled:{endpoint.pk}:{now.isoformat()}",
        context={"url": endpoint.url, "reason": endpoint.disabled_reason},
    )  # fmt: skip


def failing_tell(*, endpoint: WebhookEndpoint, since: datetime, now: datetime) -> None:
    """Mail them that it has failed ever since then, once: there is time left to mend it."""
    mail_members(
        tenant=endpoint.tenant, act=Act.CHANGE_WEBHOOKS, kind="tenants.webhook_failing", now=now,
        key=f"webhook-failing:{endpoint.pk}:{since.isoformat()}",
        context={"url": endpoint.url, "endpoint": str(endpoint.uuid)},
    )  # fmt: skip


@transaction.atomic
def webhook_endpoint_enable(
    *, endpoint: WebhookEndpoint, actor: User | None, now: datetime
) -> None:
    """Send to an endpoint again what happens from now on; again does nothing."""
    endpoint = endpoint_locked(endpoint)
    if endpoint.is_active:
        return
    endpoint.disabled_at, endpoint.disabled_reason, endpoint.failing_since = None, "", None
    endpoint.save(update_fields=["disabled_at", "disabled_reason", "failing_since"])
    audit_record(
        action="webhook.enabled", tenant=endpoint.tenant, actor=actor, now=now,
        target=endpoint.url[:200],
    )  # fmt: skip


@transaction.atomic
def webhook_endpoint_delete(
    *, endpoint: WebhookEndpoint, actor: User | None, now: datetime
) -> None:
    """Delete an endpoint with its log. A try that is on its way is not noted any more."""
    endpoint = endpoint_locked(endpoint)
    audit_record(
        action="webhook.deleted", tenant=endpoint.tenant, actor=actor, now=now,
        target=endpoint.url[:200],
    )  # fmt: skip
    endpoint.delete()


@transaction.atomic
def webhook_secret_rotate(*, endpoint: WebhookEndpoint, actor: User | None, now: datetime) -> None:
    """Give an endpoint another secret. The one before signs too, for 24 hours, and none older."""
    endpoint = endpoint_locked(endpoint)
    endpoint.previous_secret_uuid = endpoint.secret_uuid
    endpoint.previous_secret_until = now + OVERLAP
    endpoint.secret_uuid, endpoint.secret_revealed_at = uuid.uuid4(), None
    endpoint.save(
        update_fields=[
            "previous_secret_uuid", "previous_secret_until", "secret_uuid", "secret_revealed_at",
        ]
    )  # fmt: skip
    audit_record(
        action="webhook.secret_rotated", tenant=endpoint.tenant, actor=actor, now=now,
        target=endpoint.url[:200],
    )  # fmt: skip


@transaction.atomic
def webhook_secret_reveal(*, endpoint: WebhookEndpoint, now: datetime) -> str | None:
    """Return the endpoint's secret, once; None ever after."""
    endpoint = endpoint_locked(endpoint)
    if endpoint.secret_revealed_at is not None:
        return None
    endpoint.secret_revealed_at = now
    endpoint.save(update_fields=["secret_revealed_at"])
    return webhook_secrets.derive(endpoint.secret_uuid, secret=settings.WEBHOOK_SIGNING_SECRET)

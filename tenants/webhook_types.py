"""The events that tenants may hear of, each with an example: the one list for services and pages.

An app registers its own in a module of this name, which is imported when it is ready (apps.py).
Each has the scope by which the management API reads the same: without it a token neither sees what
such an event said, nor has it sent anywhere (api_webhooks.py).
A type is the news of the same kind in the outbox, which portal/celery.py must have relayed to
`tenants.tasks.webhook_announce`.
Data carries ids and what anybody in the tenant may see, never a secret.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.models import ApiKeyVersion, OutboxEvent
from tenants.scopes import Scope

Data = dict[str, Any]

TEST = "webhook.test"


def _payload(news: OutboxEvent) -> Data:
    payload: Data = news.payload
    return payload


@dataclass(frozen=True)
class EventType:
    """A type's name, the scope that it takes, what it says, the data of one, and how the data is
    made of the news.
    """

    name: str
    scope: Scope
    label: str | Promise
    example: Data
    data: Callable[[OutboxEvent], Data] = _payload


_TYPES: dict[str, EventType] = {}


def register(*types: EventType) -> None:
    """Add types. The same name again replaces the first."""
    _TYPES.update({each.name: each for each in types})


def event_types() -> list[EventType]:
    """Return all types, by name."""
    return sorted(_TYPES.values(), key=lambda each: each.name)


def scopes_heard(names: Iterable[str]) -> set[Scope]:
    """Return the scopes that events of these types take. One that was taken out takes none."""
    return {_TYPES[name].scope for name in names if name in _TYPES}


def event_type(name: str) -> EventType | None:
    """Return the type of that name, None where nobody may hear of such news."""
    return _TYPES.get(name)


def _key(news: OutboxEvent) -> Data:
    version = ApiKeyVersion.objects.select_related("api_key").get(pk=news.payload["version"])
    key = version.api_key
    expires_at = None if key.expires_at is None else key.expires_at.isoformat()
    return {
        "id": str(key.uuid),
        "name": key.name,
        "last_four": version.last_four,
        "expires_at": expires_at,
    }


def _expiring_key(news: OutboxEvent) -> Data:
    return {**_key(news), "expires_at": news.payload["expires_at"]}


def _tenant(news: OutboxEvent) -> Data:
    tenant = news.tenant
    if tenant is None:
        raise ValueError(f"{news} is about no tenant.")
    return {"id": str(tenant.uuid), "name": tenant.name, "language": tenant.language}


_UUID = "4f0c9e0b-7c55-4f4a-9a51-2d1d3c1b8e55"
_KEY = {"id": _UUID, "name": "production", "last_four": "q7xa", "expires_at": None}

register(
    EventType("key.created", Scope.KEYS_READ, _("Somebody created a key."), _KEY, _key),
    EventType(
        "key.updated",
        Scope.KEYS_READ,
        _("Somebody changed a key's name or expiry; for each of its values that work."),
        _KEY,
        _key,
    ),
    EventType("key.rotated", Scope.KEYS_READ, _("A key has a new value."), _KEY, _key),
    EventType("key.active", Scope.KEYS_READ, _("A key's value works at the gateway."), _KEY, _key),
    EventType(
        "key.expires",
        Scope.KEYS_READ,
        _("A key expires within 7 days, or within 1 day."),
        {**_KEY, "expires_at": "2026-12-01T00:00:00+00:00"},
        _expiring_key,
    ),
    EventType("key.revoked", Scope.KEYS_READ, _("A key's value works no more."), _KEY, _key),
    EventType(
        "extension.granted",
        Scope.BILLING_READ,
        _("A quota extension was added to a period (UTC days, both included)."),
        {"requests": 1000, "period_start": "2026-11-01", "period_end": "2026-11-30"},
    ),
    EventType(
        "quota.threshold",
        Scope.ALERTS_READ,
        _("A part of a period's requests is used (UTC days, both included)."),
        {
            "alert": _UUID,
            "threshold": 80,
            "used": 8012,
            "limit": 10000,
            "period_start": "2026-11-01",
            "period_end": "2026-11-30",
        },
    ),
    EventType(
        "usage.unusual",
        Scope.ALERTS_READ,
        _("There are far more requests on a day (UTC) than in the last four weeks."),
        {"alert": _UUID, "day": "2026-11-26", "used": 4120, "expected": 980},
    ),
    EventType(
        "tenant.updated",
        Scope.SETTINGS_READ,
        _("The organisation's name or language was changed."),
        {"id": _UUID, "name": "Alice Corp", "language": "en"},
        _tenant,
    ),
    EventType(
        "tenant.closing",
        Scope.SETTINGS_READ,
        _("Somebody asked to delete the organisation; its keys have stopped."),
        {"closes_at": "2026-12-01T00:00:00+00:00"},
    ),
    EventType(
        "tenant.kept",
        Scope.SETTINGS_READ,
        _("The organisation is not deleted after all; its keys work again."),
        {"closes_at": "2026-12-01T00:00:00+00:00"},
    ),
    EventType(
        TEST,
        Scope.WEBHOOKS_READ,
        _("Somebody sent a test event, to one endpoint."),
        {"message": "This is a test."},
    ),
)

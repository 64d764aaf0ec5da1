"""The alerts that a tenant may get: the one list for services, pages, mails and settings.

An app registers its own in a module of this name, which is imported when it is ready (apps.py).
An alert's data are figures, as JSON; what it says of them is written when it is read, in the
reader's language.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.permissions import Act
from tenants.scopes import Scope
from tenants.sentences import sentences

Data = dict[str, Any]
Words = Callable[[Data], str]

QUOTA, UNUSUAL, KEY_EXPIRES = "quota", "unusual_usage", "key_expires"


@dataclass(frozen=True)
class AlertType:
    """A kind of alerts: what it is about, what one says, and the one thing to do about it.

    `act` is what those who get the mail may do, `scope` that by which the management API reads the
    same, without which a token does not see what an alert says. `news` is its type of webhook
    event; it has none where other news say the same, as it is not `mailed` where another mail does.
    """

    kind: str
    label: str | Promise
    about: str | Promise
    title: Words
    text: Words
    action: str | Promise
    path: Words
    act: Act
    scope: Scope
    news: str = ""
    mailed: bool = True


_TYPES: dict[str, AlertType] = {}


def register(*types: AlertType) -> None:
    """Add types. The same kind again replaces the first."""
    _TYPES.update({each.kind: each for each in types})


def alert_types() -> list[AlertType]:
    """Return all types, in the order in which they were registered."""
    return list(_TYPES.values())


def alert_type(kind: str) -> AlertType:
    """Return the type of a kind. Raise KeyError for an unknown one."""
    return _TYPES[kind]


def number(count: int) -> str:
    """Write a number as people of the current language do."""
    return number_format(count, force_grouping=True)


def day(iso: str) -> str:
    """Write a day likewise."""
    return date_format(date.fromisoformat(iso), "DATE_FORMAT")


def _quota_title(data: Data) -> str:
    if data["threshold"] >= 100:
        return _("All requests of this period are used")
    return _("%(percent)d %% of this period’s requests are used") % {"percent": data["threshold"]}


def _quota_text(data: Data) -> str:
    text = _("%(used)s of %(limit)s requests are used. The period ends on %(day)s (UTC).") % {
        "used": number(data["used"]),
        "limit": number(data["limit"]),
        "day": day(data["period_end"]),
    }
    if data["threshold"] >= 100:
        text = sentences(text, _("Until then, or until you buy more, calls are refused."))
    return text


def _unusual_text(data: Data) -> str:
    return _(
        "On %(day)s (UTC), %(used)s requests have come so far. Usual on that weekday are "
        "%(expected)s, the median of the last four weeks."
    ) % {
        "day": day(data["day"]),
        "used": number(data["used"]),
        "expected": number(data["expected"]),
    }


register(
    AlertType(
        QUOTA,
        gettext_lazy("Quota"),
        gettext_lazy("When a part of a period’s requests is used."),
        _quota_title,
        _quota_text,
        gettext_lazy("Buy more requests"),
        lambda _data: reverse("billing-extensions"),
        Act.BUY,
        Scope.ALERTS_READ,
        news="quota.threshold",
    ),
    AlertType(
        UNUSUAL,
        gettext_lazy("Unusual usage"),
        gettext_lazy(
            "When there are far more requests on a day (UTC) than in the last four weeks."
        ),
        lambda _data: _("Far more requests than usual"),
        _unusual_text,
        gettext_lazy("See the usage"),
        lambda _data: reverse("usage"),
        Act.CHANGE_KEYS,
        Scope.ALERTS_READ,
        news="usage.unusual",
    ),
    AlertType(
        KEY_EXPIRES,
        gettext_lazy("Keys"),
        gettext_lazy("7 days and 1 day before a key expires; always by mail, too."),
        lambda data: (
            _("Your API key “%(name)s” works until %(day)s")
            % {"name": data["name"], "day": day(data["last_day"])}
        ),
        lambda _data: _("After that, calls with it are refused."),
        gettext_lazy("Your API keys"),
        lambda _data: reverse("keys"),
        Act.CHANGE_KEYS,
        Scope.KEYS_READ,
        mailed=False,
    ),
)

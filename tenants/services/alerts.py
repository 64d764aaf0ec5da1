"""Alerts: raised once, in the portal, by mail and as news, in the transaction of what they tell."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from tenants import queue, selectors
from tenants.alert_types import Data, alert_type, alert_types
from tenants.errors import Invalid
from tenants.models import Alert, AlertSettings, Member, Tenant, User
from tenants.services.audit import audit_record
from tenants.services.mails import ALERT, mail_members, mails_give_up
from tenants.services.webhook_events import webhook_tell

MOST_PERCENTS, MOST_AMOUNTS = 10, 3
LARGEST_AMOUNT = 10**12  # minor units


@transaction.atomic
def alert_raise(*, tenant: Tenant, kind: str, key: str, data: Data, now: datetime) -> Alert | None:
    """Tell a tenant something, once per key; return None for what was told already.

    Those who may do something about it get a mail, unless the tenant wants none of this kind, or
    they none at all.
    """
    made = alert_type(kind)
    alert, is_new = Alert.objects.get_or_create(
        tenant=tenant, key=key, defaults={"kind": kind, "data": data, "raised_at": now}
    )
    if not is_new:
        return None
    if made.news:
        webhook_tell(kind=made.news, about=[(tenant, {"alert": str(alert.uuid), **data})], now=now)
    if made.mailed and kind not in selectors.alert_settings(tenant=tenant).not_mailed:
        with override(tenant.language):
            context = {
                "title": made.title(data),
                "text": made.text(data),
                "path": made.path(data),
                "action": str(made.action),
            }
        mail_members(
            tenant=tenant, act=made.act, kind=ALERT, key=f"alert:{alert.uuid}", context=context,
            now=now,
        )  # fmt: skip
    return alert


@transaction.atomic
def alert_mails_choose(*, member: Member, wanted: bool, now: datetime) -> None:
    """Have a member get alerts by mail, or none, as they wish; again changes nothing."""
    other = Member.objects.filter(pk=member.pk).exclude(alert_mails=wanted)
    if other.update(alert_mails=wanted):
        if not wanted:
            mails_give_up(tenant=member.tenant, to=member.user.email, kind=ALERT, now=now)
        audit_record(
            action="alerts.mails_resumed" if wanted else "alerts.mails_stopped",
            tenant=member.tenant, actor=member.user, now=now, target=member.user.email,
        )  # fmt: skip


@transaction.atomic
def alerts_see(
    *, tenant: Tenant, actor: User | None, now: datetime, alert: Alert | None = None
) -> None:
    """Note that an alert, or all of a tenant's, was seen; again changes nothing."""
    rows = Alert.objects.filter(tenant=tenant, seen_at=None)
    count = (rows if alert is None else rows.filter(pk=alert.pk)).update(seen_at=now)
    if count:
        audit_record(
            action="alerts.seen", tenant=tenant, actor=actor, now=now,
            target=alert.key if alert else "", count=count,
        )  # fmt: skip


@transaction.atomic
def alert_settings_update(
    *,
    tenant: Tenant,
    actor: User | None,
    now: datetime,
    quota_percents: Sequence[int] | None = None,
    spending_percents: Sequence[int] | None = None,
    spending_amounts: Sequence[int] | None = None,
    mailed: Sequence[str] | None = None,
) -> AlertSettings:
    """Change how a tenant wants to be told; what is None stays as it is.

    Raise Invalid for percents outside 1 to 100, amounts that are none, too many, or unknown kinds.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    found = selectors.alert_settings(tenant=tenant)
    before = _values(found)
    if quota_percents is not None:
        found.quota_percents = _percents(quota_percents, field="quota_percents")
    if spending_percents is not None:
        found.spending_percents = _percents(spending_percents, field="spending_percents")
    if spending_amounts is not None:
        found.spending_amounts = _amounts(spending_amounts, field="spending_amounts")
    if mailed is not None:
        found.not_mailed = _not_mailed(mailed)
    changed = {name: value for name, value in _values(found).items() if value != before[name]}
    if changed:
        found.save()
        audit_record(action="alerts.changed", tenant=tenant, actor=actor, now=now, **changed)
        queue.on_commit("tenants.tasks.quota_alerts", [tenant.pk], queue="default")
    return found


def kinds_mailed(found: AlertSettings) -> list[str]:
    """Return the kinds of which a tenant gets mails that it may turn off."""
    return [
        each.kind for each in alert_types() if each.mailed and each.kind not in found.not_mailed
    ]


def _values(found: AlertSettings) -> dict[str, Any]:
    names = ("quota_percents", "spending_percents", "spending_amounts", "not_mailed")
    return {name: getattr(found, name) for name in names}


def _percents(percents: Sequence[int], *, field: str) -> list[int]:
    if any(not 1 <= percent <= 100 for percent in percents):
        text = _("A threshold is a whole number of percents from 1 to 100.")
        raise Invalid(text, field=field)
    _demand_at_most(MOST_PERCENTS, percents, field=field)
    return sorted(set(percents))


def _amounts(amounts: Sequence[int], *, field: str) -> list[int]:
    if any(not 1 <= amount <= LARGEST_AMOUNT for amount in amounts):
        text = _("An amount of spending must be more than nothing, and no fortune.")
        raise Invalid(text, field=field)
    _demand_at_most(MOST_AMOUNTS, amounts, field=field)
    return sorted(set(amounts))


def _demand_at_most(most: int, thresholds: Sequence[int], *, field: str) -> None:
    if len(set(thresholds)) > most:
        raise Invalid(_("At most %(most)d thresholds can be set.") % {"most": most}, field=field)


def _not_mailed(mailed: Sequence[str]) -> list[str]:
    choosable = [each.kind for each in alert_types() if each.mailed]
    unknown = set(mailed) - set(choosable)
    if unknown:
        text = _("There are no such alerts to be mailed: %(kinds)s.")
        raise Invalid(text % {"kinds": ", ".join(sorted(unknown))}, field="mailed")
    return [kind for kind in choosable if kind not in mailed]

"""Trials: say in time that one ends. Its end itself is a day like others (proration.py)."""

from datetime import UTC, datetime, timedelta

import structlog
from django.db.models import F
from django.utils.formats import date_format
from django.utils.translation import override

from billing.models import ChangeState, PlanChange, Subscription, SubscriptionState
from billing.usage_prices import price_in_words
from tenants.models import TenantState
from tenants.permissions import Act
from tenants.services import mail_members

log = structlog.get_logger(__name__)

NOTICE = timedelta(days=3)


def trials_announce(*, now: datetime) -> int:
    """Tell the tenants whose trial ends within three days, once each; return how many there are.

    Nobody is told who has cancelled, changes plan on that day, or is being deleted. One tenant's
    failure stops no other's.
    """
    today = now.astimezone(UTC).date()
    ending = Subscription.objects.filter(
        state=SubscriptionState.ACTIVE,
        tenant__state=TenantState.ACTIVE,
        trial_ends_on__gt=today,
        trial_ends_on__lte=today + NOTICE,
    )
    leaving = PlanChange.objects.filter(state=ChangeState.SCHEDULED).values("tenant_id")
    ending = ending.exclude(tenant__in=leaving).select_related("tenant", "plan", "price")
    told = 0
    for trial in ending.order_by(F("trial_ends_on"), "id"):
        try:
            _announce(trial, now)
            told += 1
        except Exception:
            log.exception("trial.not_announced", subscription=trial.pk)
    return told


def _announce(trial: Subscription, now: datetime) -> None:
    assert trial.trial_ends_on is not None  # noqa: S101  (the filter above)
    with override(trial.tenant.language):
        context = {
            "plan": trial.plan.name,
            "day": date_format(trial.trial_ends_on, "DATE_FORMAT"),
            "price": price_in_words(trial.plan, trial.price),
        }
    mail_members(
        tenant=trial.tenant, act=Act.BUY, kind="billing.trial_ends",
        key=f"trial_ends:{trial.pk}", context=context, now=now,
    )  # fmt: skip

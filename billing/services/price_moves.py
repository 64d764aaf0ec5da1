"""Move subscriptions to the newest price of their plan, on a first of which they were told."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

import tenants.services
from billing.models import (
    ChangeState,
    PriceMove,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.services.offers import price_latest
from billing.usage_prices import price_in_words
from tenants.errors import Refused
from tenants.models import QuotaPeriod, Tenant, User
from tenants.periods import period_of
from tenants.permissions import Act
from tenants.services import mail_members


def price_move_first_day(*, now: datetime) -> date:
    """Return the earliest first of a month (UTC) that leaves PRICE_NOTICE_DAYS of notice."""
    notice: int = settings.PRICE_NOTICE_DAYS
    month = period_of(QuotaPeriod.MONTH, now + timedelta(days=notice - 1))
    return month.end


def price_moves_schedule(
    *,
    subscriptions: Iterable[Subscription],
    takes_effect_on: date,
    actor: User | None,
    now: datetime,
) -> list[PriceMove]:
    """Schedule the move of subscriptions to the newest price, and tell each tenant.

    Those that have it, have ended, or are to be moved on that day already are left as they are.
    Raise Refused for a day that is not the first of a month, or too near.
    """
    if takes_effect_on.day != 1 or takes_effect_on < price_move_first_day(now=now):
        raise Refused(
            _("Choose the first of a month, %(day)s or later.")
            % {"day": date_format(price_move_first_day(now=now), "DATE_FORMAT")}
        )
    moves = (_schedule(each, takes_effect_on, actor, now) for each in subscriptions)
    return [move for move in moves if move is not None]


@transaction.atomic
def _schedule(
    subscription: Subscription, on: date, actor: User | None, now: datetime
) -> PriceMove | None:
    Tenant.objects.select_for_update().get(pk=subscription.tenant_id)
    held = Subscription.objects.select_related("tenant", "plan", "price").get(pk=subscription.pk)
    price = price_latest(plan=held.plan, currency=held.price.currency)
    if held.state != SubscriptionState.ACTIVE or held.price == price:
        return None
    scheduled = PriceMove.objects.filter(subscription=held, state=ChangeState.SCHEDULED)
    if scheduled.filter(price=price, takes_effect_on=on).exists():
        return None
    scheduled.update(state=ChangeState.WITHDRAWN, settled_at=now)
    move = PriceMove.objects.create(
        subscription=held, price=price, takes_effect_on=on, created_by=actor, created_at=now
    )
    _tell(move, "price_move", price, now)
    tenants.services.audit_record(
        action="price_move.scheduled",
        tenant=held.tenant,
        actor=actor,
        now=now,
        target=str(price),
        takes_effect_on=on.isoformat(),
    )
    return move


@transaction.atomic
def price_move_withdraw(*, move: PriceMove, actor: User | None, now: datetime) -> bool:
    """Withdraw a move that is to come, and tell the tenant; return whether it still was."""
    tenant = Tenant.objects.select_for_update().get(pk=move.subscription.tenant_id)
    mine = PriceMove.objects.filter(pk=move.pk, state=ChangeState.SCHEDULED)
    if not mine.update(state=ChangeState.WITHDRAWN, settled_at=now):
        return False
    _tell(move, "price_move_withdrawn", move.price, now)
    tenants.services.audit_record(
        action="price_move.withdrawn", tenant=tenant, actor=actor, now=now, target=str(move.price)
    )
    return True


def _tell(move: PriceMove, kind: str, price: PriceVersion, now: datetime) -> None:
    held = move.subscription
    with override(held.tenant.language):
        context = {
            "plan": held.plan.name,
            "day": date_format(move.takes_effect_on, "DATE_FORMAT"),
            "old": price_in_words(held.plan, held.price),
            "new": price_in_words(held.plan, price),
        }
    mail_members(
        tenant=held.tenant, act=Act.BUY, kind=f"billing.{kind}", key=f"{kind}:{move.pk}",
        context=context, now=now,
    )  # fmt: skip

"""Changes that come on a day: of plan at a month's end, of price on the first of one.

What is due is made before anything else is decided about a tenant, however late the beat is, so
that what is offered, billed and charged rests on the plan that holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import structlog
from django.db import transaction
from django.db.models import Q

from billing.models import ChangeState, PlanChange, PriceMove, Subscription
from billing.services.offers import setup_is_due, subscription_active
from billing.services.subscriptions import subscription_switch
from tenants.models import Tenant

log = structlog.get_logger(__name__)


def tenant_at_its_plan(*, tenant: Tenant, now: datetime) -> Tenant:
    """Lock a tenant, and make the changes that are due of it; return it. In a transaction."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    for change in _due(tenant, now):
        if isinstance(change, PlanChange):
            _change_apply(change, now)
        else:
            _move_apply(change, now)
    tenant.refresh_from_db()
    return tenant


def _due(tenant: Tenant, now: datetime) -> list[PlanChange | PriceMove]:
    """Return what is due of a tenant by the day; of one day's, the change of plan is the first."""
    is_due = _is_due(now.astimezone(UTC).date())
    changes = PlanChange.objects.filter(is_due, tenant=tenant).select_related("plan__usage_plan")
    moves = PriceMove.objects.filter(is_due, subscription__tenant=tenant)
    both: list[PlanChange | PriceMove] = [*changes, *moves.select_related("price")]
    return sorted(both, key=lambda each: (each.takes_effect_on, isinstance(each, PriceMove)))


def _is_due(day: date) -> Q:
    return Q(state=ChangeState.SCHEDULED, takes_effect_on__lte=day)


def is_decided(*, day: date) -> Q:
    """Return the condition that no change is due by `day` of a subscription: it may be billed."""
    changes = PlanChange.objects.filter(_is_due(day)).values("tenant_id")
    moves = PriceMove.objects.filter(_is_due(day)).values("subscription_id")
    return ~Q(tenant__in=changes) & ~Q(pk__in=moves)


def _change_apply(change: PlanChange, now: datetime) -> None:
    """Make a change of plan on its day: from then on the month's run bills the new fee."""
    active = subscription_active(tenant=change.tenant)
    begins = Subscription(
        tenant=change.tenant,
        plan=change.plan,
        price=change.price,
        created_at=now,
        fee_from=change.takes_effect_on,
        owes_setup=setup_is_due(tenant=change.tenant, price=change.price),
    )
    subscription_switch(
        begins=begins,
        ends=active,
        on=change.takes_effect_on,
        fee_until=change.takes_effect_on,
        actor=change.created_by,
        now=now,
    )
    _settle(change, ChangeState.DONE, now)


def _move_apply(move: PriceMove, now: datetime) -> None:
    """Move a subscription to another price on its day, unless it has ended."""
    active = subscription_active(tenant=move.subscription.tenant)
    if active != move.subscription:
        _settle(move, ChangeState.WITHDRAWN, now)
        return
    _settle(move, ChangeState.DONE, now)
    on = move.takes_effect_on
    begins = Subscription(
        tenant=active.tenant,
        plan=active.plan,
        price=move.price,
        created_at=now,
        trial_ends_on=active.trial_ends_on,
        fee_from=max(on, active.fee_from or on),
        owes_setup=active.owes_setup and (active.fee_from or on) >= on,
    )
    subscription_switch(begins=begins, ends=active, on=on, fee_until=on, now=now)


def _settle(change: PlanChange | PriceMove, state: ChangeState, now: datetime) -> None:
    change.state, change.settled_at = state, now
    change.save(update_fields=["state", "settled_at"])


@dataclass
class ChangesRun:
    """What a run did, or would do. `failed` maps a tenant to the reason."""

    made: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def changes_apply(
    *,
    now: datetime,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ChangesRun:
    """Make the changes of plan and price that are due; return what was done, or would be.

    Each counts from its own day, whenever this runs. One tenant's failure stops no other's.
    """
    run = ChangesRun()
    is_due = _is_due(now.astimezone(UTC).date())
    ids = set(PlanChange.objects.filter(is_due).values_list("tenant_id", flat=True))
    ids |= set(PriceMove.objects.filter(is_due).values_list("subscription__tenant_id", flat=True))
    for done, tenant_id in enumerate(sorted(ids), start=1):
        tenant = Tenant.objects.get(pk=tenant_id)
        due = [str(change) for change in _due(tenant, now)]
        try:
            if not dry_run:
                with transaction.atomic():
                    tenant_at_its_plan(tenant=tenant, now=now)
            run.made += due
        except Exception as error:
            log.exception("change.failed", tenant=str(tenant.uuid))
            run.failed[f"{tenant} ({tenant.uuid})"] = str(error)
        progress(done, len(ids))
    return run

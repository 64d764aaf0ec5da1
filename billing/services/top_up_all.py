"""Buy all the packs that are due, and go on with those under way.

An order's token counts the top-ups of the period, so that two runs at once write one, and none is
written while another is under way. One tenant's failure never stops another's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

import tenants.selectors
from billing import payments
from billing.models import AutoTopUp, Order, OrderState
from billing.services.orders import extension_order
from billing.services.top_up import Clock, card_saved, top_up_charge, top_up_turn_off
from tenants.errors import Refused
from tenants.models import Hold, Tenant, TenantState
from tenants.periods import Period

log = structlog.get_logger(__name__)


@dataclass
class TopUpRun:
    """What a run settled, or would do, a line each; `bought` is how many of these are packs that
    were bought, or would be. `failed` maps a tenant's id to the reason.
    """

    settled: list[str] = field(default_factory=list)
    bought: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def top_ups_run(
    *,
    clock: Clock,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> TopUpRun:
    """Buy what is due, and go on with what is under way; return which charges were settled.

    Safe to run twice, in parallel and late. Each tenant asks the clock anew: many charges take
    long, and nothing is bought for a period that is over. `progress(done, total)` is called after
    each.
    """
    run = TopUpRun()
    ids = sorted({*_tenants_below(clock()), *_tenants_under_way()})
    for done, tenant_id in enumerate(ids, start=1):
        try:
            if dry_run:
                _would(tenant_id, clock(), run)
            else:
                _top_up(tenant_id, clock, run)
        except payments.PaymentError as error:  # whether it was charged is unknown: ask again
            log.warning("top_up.not_settled", tenant=tenant_id, error=str(error))
            run.failed[str(tenant_id)] = str(error)
        except Exception as error:
            log.exception("top_up.failed", tenant=tenant_id)
            run.failed[str(tenant_id)] = str(error)
        progress(done, len(ids))
    return run


def _top_up(tenant_id: int, clock: Clock, run: TopUpRun) -> None:
    """Buy what a tenant is due, or look what became of it."""
    order = _order_due(tenant_id, clock())
    if order is None:
        return
    order = top_up_charge(order=order, clock=clock)
    if order.state != OrderState.PENDING:
        run.settled.append(f"{order.tenant}  {order}")
        run.bought += order.state == OrderState.FULFILLED


def _would(tenant_id: int, now: datetime, run: TopUpRun) -> None:
    """Say what `_top_up` would do now: what it writes before it charges is not kept."""
    with transaction.atomic():
        tenant = Tenant.objects.get(pk=tenant_id)
        is_under_way = _under_way(tenant) is not None
        order = _order_due(tenant_id, now)
        setting = AutoTopUp.objects.filter(tenant=tenant).first()
        transaction.set_rollback(True)
    if order is not None:
        run.settled.append(f"{tenant}  {'look up' if is_under_way else 'buy'} {order.description}")
        run.bought += not is_under_way
    elif setting is not None and setting.off_reason:
        run.settled.append(f"{tenant}  turn off: {setting.off_reason}")


def _tenants_below(now: datetime) -> list[int]:
    """Return the tenants whose quota runs low and who want to buy then: a few queries for all."""
    stopped = Hold.objects.filter(tenant=OuterRef("tenant"), lifted_at=None)
    settings = AutoTopUp.objects.filter(
        ~Exists(stopped), is_on=True, tenant__state=TenantState.ACTIVE
    )
    percents = dict(settings.values_list("tenant", "percent"))
    found = Tenant.objects.filter(pk__in=percents).select_related("usage_plan")
    quotas = tenants.selectors.quotas(tenants=found, now=now)
    used = tenants.selectors.usage_in_period(tenants=found, now=now)
    return [
        pk
        for pk, percent in percents.items()
        if _is_low(quotas[pk].limit, used.get(pk, 0), percent)
    ]


def _is_low(limit: int | None, used: int, percent: int) -> bool:
    """Say whether less than so many percent remain of what a tenant may use."""
    return limit is not None and (limit - used) * 100 < percent * limit


def _tenants_under_way() -> list[int]:
    under_way = Order.objects.filter(is_top_up=True, state=OrderState.PENDING)
    return list(under_way.values_list("tenant", flat=True))


@transaction.atomic
def _order_due(tenant_id: int, now: datetime) -> Order | None:
    """Return the top-up that is under way, or write one where it is due; None where it is not."""
    tenant = (
        Tenant.objects.select_for_update(of=("self",))
        .select_related("usage_plan")
        .get(pk=tenant_id)
    )
    under_way = _under_way(tenant)
    if under_way is not None:
        return under_way
    setting = _due(tenant, now)
    if setting is None:
        return None
    period = tenants.selectors.current_period(tenant=tenant, now=now)
    made = _made(tenant, period).count()
    with override(tenant.language):
        card = card_saved(tenant)
        if not card:
            top_up_turn_off(tenant, _("There is no saved card to charge."), now)
            return None
        try:
            return extension_order(
                tenant=tenant,
                pack_code=setting.pack.code,
                token=f"topup-{period.start}-{period.days}-{made + 1}",
                actor=None,
                now=now,
                card=card,
            )
        except Refused as refusal:
            top_up_turn_off(tenant, str(refusal), now)
            return None


def _under_way(tenant: Tenant) -> Order | None:
    top_ups = Order.objects.filter(tenant=tenant, is_top_up=True, state=OrderState.PENDING)
    return top_ups.select_related("tenant").first()


def _made(tenant: Tenant, period: Period) -> QuerySet[Order]:
    """Return the top-ups of a period, those that were not paid too."""
    top_ups = Order.objects.filter(tenant=tenant, is_top_up=True)
    return top_ups.filter(period_start=period.start, period_end=period.end)


def _due(tenant: Tenant, now: datetime) -> AutoTopUp | None:
    """Return what a tenant wants to be bought, where its quota runs low and it may be once more."""
    setting = AutoTopUp.objects.filter(tenant=tenant, is_on=True).select_related("pack").first()
    usage = tenants.selectors.usage_now(tenant=tenant, now=now)
    if setting is None or not _is_low(usage.limit, usage.used_period, setting.percent):
        return None
    period = tenants.selectors.current_period(tenant=tenant, now=now)
    bought = _made(tenant, period).exclude(state=OrderState.EXPIRED).count()
    return setting if bought < setting.most_per_period else None

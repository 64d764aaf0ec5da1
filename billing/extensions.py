"""What pages and the API show of extensions: what is left of each, and what became of it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.utils.translation import gettext as _

import tenants.selectors
from billing.declines import in_words
from billing.models import AutoTopUp, Customer, Order, OrderPurpose, OrderState, PackPrice
from billing.money import display
from tenants.models import Tenant
from tenants.selectors import GrantRow, GrantState

_MOST_ORDERS = 200


@dataclass(frozen=True)
class ExtensionRow:
    """A pack, or requests that were rolled over or given. Amounts are in requests, times in UTC.

    `expires_at` is the end of its period, whose days are from `period_start` to `period_end`, both
    included. `order` is None where nothing was bought.
    """

    name: str
    requests: int
    used: int
    left: int
    expired: int
    rolled_over: int
    rolls_over: bool
    state: str
    state_label: str
    note: str
    bought_at: datetime | None
    period_start: date
    period_end: date
    expires_at: datetime | None
    order: Order | None

    @property
    def may_be_given_back(self) -> bool:
        """Whether its money may be asked for: it was bought, and is not known to be used."""
        return self.order is not None and self.state in {GrantState.LEFT, GrantState.APPLYING}


def extension_rows(*, tenant: Tenant, now: datetime) -> list[ExtensionRow]:
    """Return what a tenant has on top of its plan, the newest period first, then by age.

    What waits for its payment, and what was paid back at once, is there too; what was never paid
    is not.
    """
    orders = Order.objects.filter(tenant=tenant, purpose=OrderPurpose.EXTENSION)
    orders = orders.exclude(state=OrderState.EXPIRED).select_related("pack")
    by_source = {f"order:{order.uuid}": order for order in orders[:_MOST_ORDERS]}
    rows = [
        _granted(grant, by_source.pop(grant.source, None))
        for grant in tenants.selectors.grant_rows(tenant=tenant, now=now)
    ]
    rows += [_not_granted(order) for order in by_source.values()]
    return sorted(rows, key=lambda row: row.period_start, reverse=True)


def current_and_earlier(
    *, tenant: Tenant, now: datetime
) -> tuple[list[ExtensionRow], list[ExtensionRow]]:
    """Return the extensions of periods that run, and those of earlier ones."""
    today = now.astimezone(UTC).date()
    rows = extension_rows(tenant=tenant, now=now)
    current = [row for row in rows if row.period_end >= today]
    return current, [row for row in rows if row.period_end < today]


def _granted(grant: GrantRow, order: Order | None) -> ExtensionRow:
    label = str(grant.state.label)
    if order is not None and grant.state == GrantState.RETURNED:
        label = str(OrderState.REFUNDED.label)
    was_asked = order is not None and order.taking_back_since is not None
    is_kept = was_asked and grant.state not in {GrantState.WITHDRAWN, GrantState.RETURNED}
    return ExtensionRow(
        name=order.pack.name if order and order.pack else str(grant.kind.label).capitalize(),
        requests=grant.requests,
        used=grant.used,
        left=grant.left,
        expired=grant.expired,
        rolled_over=grant.rolled_over,
        rolls_over=grant.rolls_over,
        state=grant.state,
        state_label=label,
        note=_("Not paid back: requests of it had been used.") if is_kept else "",
        bought_at=grant.granted_at,
        period_start=grant.period_start,
        period_end=grant.period_end,
        expires_at=grant.expires_at,
        order=order,
    )


def _not_granted(order: Order) -> ExtensionRow:
    return ExtensionRow(
        name=order.pack.name if order.pack else order.description,
        requests=order.requests,
        used=0,
        left=0,
        expired=0,
        rolled_over=0,
        rolls_over=order.rolls_over,
        state=order.state,
        state_label=order.get_state_display(),
        note=in_words(order.decline_code, order.decline_message),
        bought_at=order.fulfilled_at,
        period_start=order.period_start,
        period_end=order.period_end - timedelta(days=1),
        expires_at=None,
        order=order,
    )


def auto_top_up_row(*, tenant: Tenant, now: datetime) -> dict[str, object]:
    """Return a tenant's automatic top-up, what it may cost at most per period, and its history."""
    setting = AutoTopUp.objects.filter(tenant=tenant).select_related("pack").first()
    period = tenants.selectors.current_period(tenant=tenant, now=now)
    bought = Order.objects.filter(tenant=tenant, is_top_up=True).select_related("pack", "invoice")
    count = bought.filter(period_start=period.start, period_end=period.end)
    row: dict[str, object] = {
        "is_on": setting is not None and setting.is_on,
        "off_reason": setting.off_reason if setting else "",
        "count": count.exclude(state=OrderState.EXPIRED).count(),
        "orders": [_top_up(order) for order in bought[:20]],
    }
    if setting is None:
        return row | {"percent": 10, "most": 1}
    customer = Customer.objects.filter(tenant=tenant).first()
    price = PackPrice.objects.filter(
        pack=setting.pack, currency=customer.currency if customer else ""
    ).first()
    return row | {
        "pack": setting.pack.name,
        "pack_code": setting.pack.code,
        "percent": setting.percent,
        "most": setting.most_per_period,
        "most_display": display(price.amount * setting.most_per_period, price.currency)
        if price
        else "",
    }


def _top_up(order: Order) -> dict[str, object]:
    invoice = getattr(order, "invoice", None)
    return {
        "at": order.created_at,
        "name": order.pack.name if order.pack else order.description,
        "amount_display": display(order.amount, order.currency),
        "state": order.state,
        "state_label": _("not paid")
        if order.state == OrderState.EXPIRED
        else order.get_state_display(),
        "reason": in_words(order.decline_code, order.decline_message),
        "invoice": invoice.number if invoice else "",
    }

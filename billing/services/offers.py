"""What a change of plan means today: when, what is to pay at once, and whether a card is needed.

Pages show it, orders freeze it, so what was shown before the click is what is charged. Days are
UTC; a line's amount is in minor units.

To a dearer fee, or to another plan of the same, a change is made at once, and pro rata: the new
fee for the days left, today included, less what was paid for the same days (fees_paid.py). To a
cheaper one, or to `free`, it waits for the month's end, or a trial's, unless the tenant wants it at
once: then what was paid for counts the same, and no money goes back.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing import tax_tables
from billing.lines import Line
from billing.models import (
    Customer,
    LineGroup,
    Plan,
    PriceVersion,
    Subscription,
    SubscriptionState,
)
from billing.models.catalog import is_too_small
from billing.proration import rest_of_month
from billing.services.fee_lines import days_line, setup_line
from billing.services.fees_paid import rest_paid
from billing.usage_prices import priced
from tenants.errors import Refused
from tenants.models import QuotaPeriod, Tenant
from tenants.periods import Period, period_of

FREE = "free"


@dataclass(frozen=True)
class Offer:
    """A plan at a price, what it replaces, and what the change comes to.

    `takes_effect_on` is the first UTC day of the new plan; `lines` are charged at once, and `tax`.
    During a trial that this begins, up to `trial_ends_on`, nothing is. Where it `owes_setup`, that
    fee comes with the first month's.
    """

    plan: Plan
    price: PriceVersion
    replaces: Subscription
    month: Period
    takes_effect_on: date
    is_now: bool
    needs_card: bool
    lines: list[Line]
    tax: int
    trial_ends_on: date | None
    owes_setup: bool

    @property
    def net(self) -> int:
        """What is to pay at once, before tax."""
        return sum(line.amount for line in self.lines)

    @property
    def amount(self) -> int:
        """What is to pay at once."""
        return self.net + self.tax

    @property
    def ends_trial(self) -> bool:
        """Whether a trial of the plan that it replaces ends with it, before its day."""
        trial = self.replaces.trial_ends_on
        return trial is not None and self.takes_effect_on < trial

    @property
    def is_too_small(self) -> bool:
        """Whether that is too little to be charged to a card: it stays open on its invoice."""
        return self.amount > 0 and is_too_small(self.amount, self.price.currency)


def subscription_active(*, tenant: Tenant) -> Subscription:
    """Return the subscription that the tenant has; every tenant has one."""
    active = Subscription.objects.select_related("tenant", "plan__usage_plan", "price")
    return active.get(tenant=tenant, state=SubscriptionState.ACTIVE)


def price_latest(*, plan: Plan, currency: str) -> PriceVersion:
    """Return the newest price of a plan. Raise Refused where it has none in the currency."""
    price = PriceVersion.objects.filter(plan=plan, currency=currency).order_by("-number").first()
    if price is None:
        raise Refused(_("This plan has no price in “%(currency)s”.") % {"currency": currency})
    return price


def offer(*, tenant: Tenant, plan_code: str, now: datetime, at_once: bool = False) -> Offer:
    """Return what changing to a public plan means, at the month's end or `at_once` where there is a
    choice. Raise Refused where that cannot be.
    """
    plan = Plan.objects.filter(code=plan_code, is_public=True).select_related("usage_plan").first()
    if plan is None:
        raise Refused(_("There is no plan “%(code)s”.") % {"code": plan_code})
    active = subscription_active(tenant=tenant)
    if active.plan == plan:
        raise Refused(_("%(plan)s is your plan already.") % {"plan": plan.name})
    price = price_latest(plan=plan, currency=active.price.currency)
    return offer_at(tenant=tenant, plan=plan, price=price, now=now, at_once=at_once)


def offer_at(
    *, tenant: Tenant, plan: Plan, price: PriceVersion, now: datetime, at_once: bool
) -> Offer:
    """Return what changing to a plan at this price means, with lines in the tenant's language."""
    active = subscription_active(tenant=tenant)
    today = now.astimezone(UTC).date()
    month = period_of(QuotaPeriod.MONTH, now)
    is_free = not price.monthly_fee and not priced(plan, price)
    is_dearer = price.monthly_fee >= active.price.monthly_fee and plan.code != FREE
    is_now = at_once or is_dearer
    made = Offer(
        plan=plan,
        price=price,
        replaces=active,
        month=month,
        takes_effect_on=today if is_now else period_end(active, today, month),
        is_now=is_now,
        needs_card=not is_free,
        lines=[],
        tax=0,
        trial_ends_on=None,
        owes_setup=setup_is_due(tenant=tenant, price=price),
    )
    if not is_now:
        return made
    if price.trial_days and not _was_customer(tenant):
        return replace(made, trial_ends_on=today + timedelta(days=price.trial_days))
    with override(tenant.language):
        made = replace(made, lines=_lines(made, today), owes_setup=False)
    return replace(made, tax=tax_tables.priced(tenant=tenant, net=made.net, now=now)["tax"])


def _lines(made: Offer, today: date) -> list[Line]:
    """Return what is to pay at once for the rest of the month."""
    new = rest_of_month(fee=made.price.monthly_fee, day=today, month=made.month)
    plan, paid = rest_paid(subscription=made.replaces, day=today, month=made.month)
    amount = -min(paid.amount, new.amount)
    lines = []
    if amount:
        back = days_line(plan, paid, LineGroup.PRORATION)
        description = _("%(line)s, taken back") % {"line": back.description}
        lines = [
            days_line(made.plan, new, LineGroup.PRORATION),
            replace(back, description=description, unit_amount=Decimal(amount), amount=amount),
        ]
    elif new.amount:
        lines = [days_line(made.plan, new)]
    if made.owes_setup:
        lines.append(setup_line(made.plan, made.price))
    return lines


def period_end(subscription: Subscription, today: date, month: Period) -> date:
    """Return the first day (UTC) that a subscription is not paid for: a trial's, or a month's."""
    trial = subscription.trial_ends_on
    return trial if trial is not None and today < trial else month.end


def _was_customer(tenant: Tenant) -> bool:
    """Say whether the tenant ever held another plan than `free`: trials are for who did not."""
    held = Subscription.objects.filter(tenant=tenant, starts_on__isnull=False)
    return held.exclude(plan__code=FREE).exists()


def setup_is_due(*, tenant: Tenant, price: PriceVersion) -> bool:
    """Say whether the plan's setup fee is to pay: once per tenant and plan.

    A trial, or a change, that ended before its first fee never paid it.
    """
    if not price.setup_fee:
        return False
    never_billed = Q(owes_setup=True, fee_until__lte=F("fee_from"))
    held = Subscription.objects.filter(
        tenant=tenant, plan_id=price.plan_id, starts_on__isnull=False
    )
    return not held.exclude(never_billed).exists()


def has_card(*, tenant: Tenant) -> bool:
    """Say whether later fees and usage can be charged."""
    return Customer.objects.filter(tenant=tenant).exclude(payment_method_id="").exists()

"""What pages read of billing, ready to show. Every query about a tenant starts from it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from billing.declines import in_words
from billing.models import (
    ChangeState,
    Currency,
    Customer,
    Dispute,
    ExtensionPack,
    Invoice,
    InvoiceState,
    Order,
    OrderPurpose,
    OrderState,
    PackPrice,
    PaymentMethod,
    Plan,
    PlanChange,
    PriceVersion,
    SavedCard,
    Subscription,
    SubscriptionState,
)
from billing.models.disputes import STANDING
from billing.money import display
from billing.spending import usage_rows
from billing.tax_tables import taxation_today
from billing.tax_words import with_tax
from billing.tiers import Tier
from billing.usage_prices import in_words as prices_in_words
from billing.usage_prices import priced, steps_of
from tenants.models import Meter, QuotaPeriod, Tenant
from tenants.periods import period_of


@dataclass(frozen=True)
class PlanCard:
    """A public plan as the price list shows it."""

    code: str
    usage_plan_id: int
    name: str
    description: str
    price_display: str
    period_display: str
    quota_display: str
    rate_limit: str
    burst_limit: str
    features: list[str]
    highlighted: bool
    is_free: bool


def plan_choices() -> list[tuple[str, str]]:
    """Return the public plans for a form: code and name."""
    plans = Plan.objects.filter(is_public=True)
    return [(plan.code, plan.name) for plan in plans]


def currency_choices() -> list[tuple[str, str]]:
    return [(str(code), str(label)) for code, label in Currency.choices]


def plans_public(*, currency: str) -> list[PlanCard]:
    """Return the public plans that have a price in a currency, in their order."""
    plans = Plan.objects.filter(is_public=True).select_related("usage_plan")
    prices = PriceVersion.objects.filter(plan__in=plans, currency=currency)
    latest: dict[int, PriceVersion] = {}
    for price in prices.order_by("number").prefetch_related("tiers"):
        latest[price.plan_id] = price
    return [_card(plan, latest[plan.pk]) for plan in plans if plan.pk in latest]


def price_steps(*, plan: Plan, currency: str) -> dict[Meter, list[Tier]]:
    """Return the steps of a plan's latest price by meter; none where usage has no price."""
    latest = PriceVersion.objects.filter(plan=plan, currency=currency).order_by("-number").first()
    return steps_of(latest) if latest else {}


def _card(plan: Plan, price: PriceVersion) -> PlanCard:
    limits = plan.usage_plan
    per = {
        QuotaPeriod.DAY: _("a day"),
        QuotaPeriod.WEEK: _("a week"),
        QuotaPeriod.MONTH: _("a month"),
    }
    quota = _("%(count)s requests %(per)s") % {
        "count": _number(limits.quota_limit),
        "per": per[QuotaPeriod(limits.quota_period)],
    }
    steps = priced(plan, price)
    words = {meter: prices_in_words(meter, steps[meter], price.currency) for meter in steps}
    stops = _("Requests stop at the quota") if words else _("Stops at the quota: no surprise bills")
    features = words.get(Meter.REQUESTS, [stops])
    if not limits.is_unlimited and Meter.REQUESTS not in steps:
        features.append(_("Extra requests by the pack"))
    features += words.get(Meter.CONVERSIONS, [_("Image conversion included")])
    return PlanCard(
        code=plan.code,
        usage_plan_id=plan.usage_plan_id,
        name=plan.name,
        description=_(plan.description) if plan.description else "",
        price_display=display(price.monthly_fee, price.currency),
        period_display=_("a month, plus usage") if steps else _("a month"),
        quota_display=_("Unlimited requests") if limits.is_unlimited else quota,
        rate_limit=_number(limits.rate_limit),
        burst_limit=_number(limits.burst_limit),
        features=features,
        highlighted=plan.is_highlighted,
        is_free=not price.monthly_fee and not steps,
    )


def _number(value: float) -> str:
    whole = int(value) if value == int(value) else value
    return str(number_format(whole, use_l10n=True, force_grouping=True))


def subscription_row(*, tenant: Tenant, now: datetime) -> dict[str, object]:
    """Return the tenant's plan for the overview, and the plan that waits for payment, if any."""
    subscriptions = Subscription.objects.filter(tenant=tenant).select_related("plan", "price")
    active = subscriptions.filter(state=SubscriptionState.ACTIVE).first()
    waiting = Order.objects.filter(
        tenant=tenant,
        purpose__in=[OrderPurpose.SUBSCRIPTION, OrderPurpose.CHANGE],
        subscription__state=SubscriptionState.INCOMPLETE,
        state__in=[OrderState.PENDING, OrderState.EXPIRED],  # checkout begins an expired one again
    )
    awaited = waiting.select_related("tenant", "subscription__plan", "subscription__price")
    month = period_of(QuotaPeriod.MONTH, now)
    row: dict[str, object] = {
        "pending": awaited.order_by("-id").first(),
        "change": _plan_change(tenant),
        "period_start": month.start,
        "period_end": month.end - timedelta(days=1),
    }
    if active is not None:
        fee = display(active.price.monthly_fee, active.price.currency)
        steps = priced(active.plan, active.price)
        row |= {
            "plan_name": active.plan.name,
            "plan_code": active.plan.code,
            "trial_ends_on": _after(active.trial_ends_on, now),
            "state": active.state,
            "state_label": active.get_state_display(),
            "price_display": (_("%(fee)s a month, plus usage") if steps else _("%(fee)s a month"))
            % {"fee": fee},
            "usage": usage_rows(active, now),
        }
    return row


def _plan_change(tenant: Tenant) -> PlanChange | None:
    """Return the change of plan that is to come, if any."""
    scheduled = PlanChange.objects.filter(tenant=tenant, state=ChangeState.SCHEDULED)
    return scheduled.select_related("plan").first()


def _after(day: date | None, now: datetime) -> date | None:
    """Return a UTC day that is still to come."""
    return day if day is not None and day > now.astimezone(UTC).date() else None


def cards(*, tenant: Tenant) -> QuerySet[SavedCard]:
    """Return a tenant's saved cards, the newest first."""
    saved = SavedCard.objects.filter(customer__tenant=tenant, removed_at=None)
    return saved.select_related("customer")


def currency_of(*, tenant: Tenant) -> str:
    """Return the currency that a tenant is charged in."""
    customer = Customer.objects.filter(tenant=tenant).first()
    return customer.currency if customer else Currency.USD


def takes_packs(*, tenant: Tenant) -> bool:
    """Say whether a tenant's plan can be extended: its quota ends, and requests have no price.

    Where they have one, those of a pack would be paid for twice.
    """
    if tenant.usage_plan.is_unlimited:
        return False
    active = Subscription.objects.filter(tenant=tenant, state=SubscriptionState.ACTIVE)
    held = active.select_related("plan", "price").first()
    return held is None or Meter.REQUESTS not in priced(held.plan, held.price)


def packs(*, tenant: Tenant, now: datetime) -> list[dict[str, object]]:
    """Return the packs on sale, priced in the tenant's currency, and what they are with tax.

    None on a plan that takes none.
    """
    if not takes_packs(tenant=tenant):
        return []
    taxation = taxation_today(tenant=tenant, now=now)
    currency = currency_of(tenant=tenant)
    prices = PackPrice.objects.filter(
        currency=currency, pack__in=ExtensionPack.objects.filter(is_active=True)
    )
    return [
        {
            "code": price.pack.code,
            "name": price.pack.name,
            "requests": price.pack.requests,
            "unused": price.pack.get_unused_display(),
            "price_display": display(price.amount, price.currency),
            "with_tax": with_tax(net=price.amount, currency=price.currency, taxation=taxation),
        }
        for price in prices.select_related("pack").order_by("pack__requests")
    ]


def invoices(*, tenant: Tenant) -> QuerySet[Invoice]:
    """Return a tenant's issued invoices, newest first."""
    issued = Invoice.objects.filter(tenant=tenant, sequence__isnull=False)
    disputed = Dispute.objects.filter(payment__invoice=OuterRef("pk"), status__in=STANDING)
    return issued.annotate(is_disputed=Exists(disputed)).order_by("-year", "-sequence")


def invoice_by_number(*, tenant: Tenant, number: str) -> Invoice | None:
    """Return the tenant's invoice of this number, None where there is none of it."""
    year, _dash, sequence = number.partition("-")
    if not (year.isdecimal() and sequence.isdecimal()):
        return None
    found = invoices(tenant=tenant).filter(year=int(year), sequence=int(sequence))
    return found.prefetch_related("lines").first()


def invoice_row(invoice: Any) -> dict[str, object]:
    """Return one of `invoices` for a list."""
    return {
        "number": invoice.number,
        "issued_at": invoice.issued_at,
        "total_display": display(invoice.total, invoice.currency),
        "state": invoice.state,
        "state_label": invoice.get_state_display(),
        "note": _note(invoice),
        "is_payable": invoice.state == InvoiceState.OPEN and not invoice.is_too_small,
    }


def _note(invoice: Any) -> str:
    if invoice.state == InvoiceState.OPEN:
        return _waits_for(invoice)
    return _("The payment is disputed.") if invoice.is_disputed else ""


def _waits_for(invoice: Invoice) -> str:
    """Return why an open invoice is not paid."""
    if invoice.is_too_small:
        return _(
            "This is too small an amount to be charged to a card. It waits; credit or a bank"
            " transfer settles it."
        )
    return invoice.note


def invoice_to_pay(invoice: Any) -> dict[str, object]:
    """Return an invoice for the page where it is paid: what is due, and why it is not paid yet."""
    last = invoice.payments.filter(method=PaymentMethod.CARD).order_by("-attempt").first()
    reason = in_words(last.failure_code, last.failure_message) if last else ""
    return {
        **invoice_row(invoice),
        "due_display": display(invoice.amount_due, invoice.currency),
        "reason": _waits_for(invoice) if invoice.is_too_small else reason,
    }


def order_by_uuid(*, tenant: Tenant, order_uuid: UUID) -> Order | None:
    """Return the tenant's own order."""
    mine = Order.objects.filter(tenant=tenant, uuid=order_uuid)
    return mine.select_related("tenant__usage_plan").first()

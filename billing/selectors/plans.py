"""Plans and their prices, as the price list and forms show them."""

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import Currency, Plan, PriceVersion
from billing.money import display
from billing.tiers import Tier
from billing.usage_prices import in_words as prices_in_words
from billing.usage_prices import priced, steps_of
from tenants.models import Meter, QuotaPeriod


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


def plans_on_sale(*, currency: str) -> list[tuple[Plan, PriceVersion]]:
    """Return the public plans that have a price in a currency, each with it, in their order."""
    plans = Plan.objects.filter(is_public=True).select_related("usage_plan")
    prices = PriceVersion.objects.filter(plan__in=plans, currency=currency)
    latest: dict[int, PriceVersion] = {}
    for price in prices.order_by("number").prefetch_related("tiers"):
        latest[price.plan_id] = price
    return [(plan, latest[plan.pk]) for plan in plans if plan.pk in latest]


def plans_public(*, currency: str) -> list[PlanCard]:
    """Return the same as the price list shows them."""
    return [_card(plan, price) for plan, price in plans_on_sale(currency=currency)]


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
    features.append(
        ngettext("Up to %(count)s key", "Up to %(count)s keys", limits.most_keys)
        % {"count": _number(limits.most_keys)}
    )
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

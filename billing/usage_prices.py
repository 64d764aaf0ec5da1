"""Prices of usage: which meters a plan prices, by which steps, and the same in words.

Requests are priced where the plan says so (Overage); anything else that is metered, where it has a
price. Steps that are all free are no price.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import Overage, Plan, PriceVersion
from billing.money import display, display_unit
from billing.tiers import Tier
from tenants.models import SOLD, Meter

Steps = Mapping[Meter, Sequence[Tier]]


def steps_of(price: PriceVersion) -> dict[Meter, list[Tier]]:
    """Return a price's steps by meter, in order, for the meters that have any."""
    steps: dict[Meter, list[Tier]] = {meter: [] for meter in SOLD}
    for tier in price.tiers.all():
        steps[Meter(tier.meter)].append(Tier(tier.up_to, tier.unit_amount))
    return {meter: tiers for meter, tiers in steps.items() if tiers}


def priced(plan: Plan, price: PriceVersion) -> dict[Meter, list[Tier]]:
    """Return the steps by which usage is billed, by meter; {} where the fee is all."""
    return {
        meter: tiers
        for meter, tiers in steps_of(price).items()
        if any(tier.unit_amount for tier in tiers)
        and (meter != Meter.REQUESTS or plan.overage == Overage.PRICED)
    }


class _Words(NamedTuple):
    """What a step is called, by where it stands and whether it has an end."""

    free: Promise
    first: Promise
    first_until: Promise
    then: Promise
    then_until: Promise


_WORDS = {
    Meter.REQUESTS: _Words(
        free=_("first %(count)s requests free"),
        first=_("%(cost)s a request"),
        first_until=_("%(cost)s a request up to %(count)s"),
        then=_("then %(cost)s a request"),
        then_until=_("then %(cost)s a request up to %(count)s"),
    ),
    Meter.CONVERSIONS: _Words(
        free=_("first %(count)s conversions free"),
        first=_("%(cost)s a conversion"),
        first_until=_("%(cost)s a conversion up to %(count)s"),
        then=_("then %(cost)s a conversion"),
        then_until=_("then %(cost)s a conversion up to %(count)s"),
    ),
}


def price_in_words(plan: Plan, price: PriceVersion) -> str:
    """Return a price as one line: the fee, then the steps of what is metered."""
    fee = gettext("%(fee)s a month") % {"fee": display(price.monthly_fee, price.currency)}
    steps = priced(plan, price)
    texts = [text for meter in steps for text in in_words(meter, steps[meter], price.currency)]
    return ", ".join([fee, *texts])


def in_words(meter: Meter, tiers: Sequence[Tier], currency: str) -> list[str]:
    """Return the steps of a graduated price in words."""
    words = _WORDS[meter]
    texts = []
    for place, tier in enumerate(tiers):
        if tier.up_to is None:
            text = words.then if place else words.first
        elif not tier.unit_amount and not place:
            text = words.free
        else:
            text = words.then_until if place else words.first_until
        count = number_format(tier.up_to or 0, use_l10n=True, force_grouping=True)
        cost = display_unit(tier.unit_amount, currency)
        texts.append(str(text) % {"cost": cost, "count": count})
    return texts

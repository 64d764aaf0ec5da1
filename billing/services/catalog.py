"""The catalogue: what a new installation sells, and how a price changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_noop as _

import tenants.services
from billing.models import (
    Currency,
    DunningAct,
    DunningStep,
    ExtensionPack,
    Overage,
    PackPrice,
    Plan,
    PriceTier,
    PriceVersion,
)
from billing.services.taxes import tax_rates_seed
from billing.services.unit_costs import unit_costs_seed
from billing.tiers import Tier
from billing.usage_prices import Steps, steps_of
from tenants.models import Meter, UsagePlan, User


@transaction.atomic
def price_set(
    *,
    plan: Plan,
    currency: str,
    monthly_fee: int,
    steps: Steps,
    setup_fee: int = 0,
    trial_days: int = 0,
    now: datetime,
    actor: User | None = None,
) -> PriceVersion:
    """Give a plan a new price: the next version. One that is the same already is left as it is.

    Fees are in minor units, `steps` are those of each meter that is priced. Existing subscriptions
    keep the version that they have.
    """
    Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
    latest = PriceVersion.objects.filter(plan=plan, currency=currency).order_by("-number").first()
    wanted = {meter: list(tiers) for meter, tiers in steps.items() if tiers}
    fees = {"monthly_fee": monthly_fee, "setup_fee": setup_fee, "trial_days": trial_days}
    if latest is not None:
        fees_before = {name: getattr(latest, name) for name in fees}
        if (fees_before, steps_of(latest)) == (fees, wanted):
            return latest
    price = PriceVersion.objects.create(
        plan=plan,
        currency=currency,
        number=latest.number + 1 if latest else 1,
        created_at=now,
        **fees,
    )
    PriceTier.objects.bulk_create(
        PriceTier(price=price, meter=meter, up_to=tier.up_to, unit_amount=tier.unit_amount)
        for meter, tiers in wanted.items()
        for tier in tiers
    )
    tenants.services.audit_record(
        action="price.set",
        tenant=None,
        actor=actor,
        now=now,
        target=f"{plan.code} {currency}",
        number=price.number,
        **fees,
    )
    return price


@dataclass(frozen=True)
class _PlanSeed:
    code: str
    name: str
    description: str
    rate_limit: float
    burst_limit: int
    quota_limit: int
    most_keys: int
    fees: Mapping[Currency, int]
    tiers: Mapping[Currency, tuple[Tier, ...]]
    is_highlighted: bool = False
    is_prorated: bool = True
    is_unlimited: bool = False


def _tiers(first: str, then: str) -> tuple[Tier, ...]:
    return (
        Tier(1_000, Decimal(0)),
        Tier(100_000, Decimal(first)),
        Tier(None, Decimal(then)),
    )


_FREE = {Currency.USD: 0, Currency.JPY: 0}
_PLANS = (
    _PlanSeed(
        "free", "Free", _("Try everything, small."), 10, 20, 100, 2, _FREE, {}, is_prorated=False,
    ),
    _PlanSeed(
        "starter", "Starter", _("For a first product."), 20, 40, 10_000, 5,
        {Currency.USD: 29_00, Currency.JPY: 4_500}, {}, is_highlighted=True,
    ),
    _PlanSeed(
        "pro", "Pro", _("For steady traffic."), 50, 100, 200_000, 20,
        {Currency.USD: 199_00, Currency.JPY: 30_000}, {},
    ),
    # The gateway gets a quota all the same, so that there is a "remaining" to cap.
    _PlanSeed(
        "payg", "Pay as you go", _("Pay for what you use."), 25, 50, 1_000_000_000, 10, _FREE,
        {Currency.USD: _tiers("0.2", "0.1"), Currency.JPY: _tiers("0.3", "0.15")},
        is_prorated=False, is_unlimited=True,
    ),
)  # fmt: skip
_PACKS = (
    ("extra-100", "Extra 100", 100, {Currency.USD: 1_00, Currency.JPY: 150}),
    ("extra-1k", "Extra 1,000", 1_000, {Currency.USD: 5_00, Currency.JPY: 750}),
    ("extra-10k", "Extra 10,000", 10_000, {Currency.USD: 40_00, Currency.JPY: 6_000}),
)
_DUNNING = (
    (1, DunningAct.RETRY),
    (3, DunningAct.RETRY),
    (5, DunningAct.RETRY),
    (7, DunningAct.RETRY),
    (14, DunningAct.SUSPEND),
)


@transaction.atomic
def seed(*, now: datetime) -> list[UsagePlan]:
    """Create the plans, packs, tax rates, dunning steps and unit costs of a new installation.

    What is there already is left alone. Return the new usage plans.
    """
    tax_rates_seed()
    unit_costs_seed()
    new = []
    for position, planned in enumerate(_PLANS):
        usage_plan = UsagePlan.objects.filter(code=planned.code).first()
        if usage_plan is None:
            usage_plan = tenants.services.usage_plan_save(
                usage_plan=UsagePlan(
                    code=planned.code,
                    name=planned.name,
                    rate_limit=planned.rate_limit,
                    burst_limit=planned.burst_limit,
                    quota_limit=planned.quota_limit,
                    most_keys=planned.most_keys,
                    is_prorated=planned.is_prorated,
                    is_unlimited=planned.is_unlimited,
                ),
                now=now,
            )
            new.append(usage_plan)
        plan, is_new = Plan.objects.get_or_create(
            code=planned.code,
            defaults={
                "name": planned.name,
                "description": planned.description,
                "usage_plan": usage_plan,
                "overage": Overage.PRICED if planned.tiers else Overage.STOPPED,
                "is_highlighted": planned.is_highlighted,
                "position": position,
            },
        )
        if is_new:
            for currency, fee in planned.fees.items():
                steps = {Meter.REQUESTS: planned.tiers.get(currency, ())}
                price_set(plan=plan, currency=currency, monthly_fee=fee, steps=steps, now=now)
    for code, name, requests, amounts in _PACKS:
        pack, is_new = ExtensionPack.objects.get_or_create(
            code=code, defaults={"name": name, "requests": requests}
        )
        if is_new:
            for currency, amount in amounts.items():
                PackPrice.objects.create(pack=pack, currency=currency, amount=amount)
    if not DunningStep.objects.exists():
        DunningStep.objects.bulk_create(DunningStep(day=day, act=act) for day, act in _DUNNING)
    return new

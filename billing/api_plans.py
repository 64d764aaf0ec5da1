"""The management API of the plans on sale, and of what a change to one of them comes to.

Amounts are in minor units of the currency that the tenant pays in, before tax but where it is said.
"""

from collections.abc import Iterator
from typing import Any

from django.http import Http404
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors, services
from billing.models import Plan, PriceVersion
from billing.services import Offer
from billing.usage_prices import priced
from tenants.callers import TenantView
from tenants.models import SOLD, QuotaPeriod
from tenants.scopes import Scope


class UsagePriceSerializer(serializers.Serializer[Any]):
    """What each costs up to a month's `up_to`, included, from where the step before ends."""

    meter = serializers.ChoiceField(choices=[meter.value for meter in SOLD])
    up_to = serializers.IntegerField(allow_null=True)
    unit_amount = serializers.DecimalField(max_digits=12, decimal_places=4)


class PlanSerializer(serializers.Serializer[Any]):
    """A plan and its price. `quota` is null where requests do not end; rates are per second."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    currency = serializers.CharField()
    monthly_fee = serializers.IntegerField()
    setup_fee = serializers.IntegerField()
    trial_days = serializers.IntegerField()
    usage_prices = UsagePriceSerializer(many=True)
    quota = serializers.IntegerField(allow_null=True)
    quota_period = serializers.ChoiceField(choices=QuotaPeriod.values)
    rate_limit = serializers.FloatField()
    burst_limit = serializers.IntegerField()
    most_keys = serializers.IntegerField()


class OfferQuerySerializer(serializers.Serializer[Any]):
    """Whether at once, where it would else wait for the month's end."""

    at_once = serializers.BooleanField(required=False, default=False)


class OfferLineSerializer(serializers.Serializer[Any]):
    description = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_amount = serializers.DecimalField(max_digits=16, decimal_places=4)
    amount = serializers.IntegerField()


class OfferSerializer(serializers.Serializer[Any]):
    """What a change comes to today. `amount` is to pay at once: the lines, and `tax`.

    `card_missing`: a card has to be saved first, at Checkout where the change is at once.
    """

    plan = PlanSerializer()
    replaces = serializers.CharField(help_text="The code of the plan that is held.")
    takes_effect_on = serializers.DateField(help_text="The first UTC day of the plan.")
    at_once = serializers.BooleanField()
    trial_ends_on = serializers.DateField(allow_null=True)
    ends_trial = serializers.BooleanField(help_text="Whether a trial of the plan held ends early.")
    owes_setup = serializers.BooleanField(help_text="The setup fee comes with the first month's.")
    lines = OfferLineSerializer(many=True)
    tax = serializers.IntegerField()
    amount = serializers.IntegerField()
    card_missing = serializers.BooleanField()


class PlansView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(summary="List the plans on sale", responses=PlanSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the plans on sale, at their prices in the currency that you pay in."""
        currency = selectors.currency_of(tenant=self.caller(request).tenant)
        rows = [plan_body(*each) for each in selectors.plans_on_sale(currency=currency)]
        return Response(PlanSerializer(rows, many=True).data)


class OfferView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        summary="See what a plan would cost",
        parameters=[OfferQuerySerializer],
        responses=OfferSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        """Return what changing to a plan means today, to the cent. It changes nothing."""
        tenant = self.caller(request).tenant
        asked = OfferQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        if code not in dict(selectors.plan_choices()):
            raise Http404
        found = services.plan_offer(
            tenant=tenant, plan_code=code, now=timezone.now(), **asked.validated_data
        )
        is_card_missing = found.needs_card and not services.has_card(tenant=tenant)
        return Response(OfferSerializer(_offer(found, is_card_missing)).data)


def plan_body(plan: Plan, price: PriceVersion) -> dict[str, Any]:
    """Return a plan, with its price, as it is answered."""
    limits = plan.usage_plan
    return {
        "code": plan.code,
        "name": plan.name,
        "description": _(plan.description) if plan.description else "",
        "currency": price.currency,
        "monthly_fee": price.monthly_fee,
        "setup_fee": price.setup_fee,
        "trial_days": price.trial_days,
        "usage_prices": list(_usage_prices(plan, price)),
        "quota": None if limits.is_unlimited else limits.quota_limit,
        "quota_period": limits.quota_period,
        "rate_limit": limits.rate_limit,
        "burst_limit": limits.burst_limit,
        "most_keys": limits.most_keys,
    }


def _usage_prices(plan: Plan, price: PriceVersion) -> Iterator[dict[str, Any]]:
    for meter, tiers in priced(plan, price).items():
        for tier in tiers:
            yield {"meter": meter, "up_to": tier.up_to, "unit_amount": tier.unit_amount}


def _offer(offer: Offer, is_card_missing: bool) -> dict[str, Any]:
    return {
        "plan": plan_body(offer.plan, offer.price),
        "replaces": offer.replaces.plan.code,
        "takes_effect_on": offer.takes_effect_on,
        "at_once": offer.is_now,
        "trial_ends_on": offer.trial_ends_on,
        "ends_trial": offer.ends_trial,
        "owes_setup": offer.owes_setup,
        "lines": offer.lines,
        "tax": offer.tax,
        "amount": offer.amount,
        "card_missing": is_card_missing,
    }


urlpatterns = [
    path("plans/", PlansView.as_view(), name="api-plans"),
    path("plans/<slug:code>/offer/", OfferView.as_view(), name="api-plan-offer"),
]

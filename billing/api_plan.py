"""The management API of the plan that is held: what is to become of it, and a change of it."""

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

import tenants.selectors
from billing import selectors, services
from billing.api_orders import OrderSerializer, order_body
from billing.api_plans import PlanSerializer, plan_body
from billing.models import PlanChange, Subscription
from billing.selectors.subscriptions import day_to_come
from tenants.callers import TenantView
from tenants.models import QuotaPeriod, Tenant
from tenants.periods import period_of
from tenants.scopes import Scope

LARGEST_AMOUNT = 10**12  # in minor units: nobody pays more


class PlanToComeSerializer(serializers.Serializer[Any]):
    """The plan, and price, from a UTC day on."""

    plan = PlanSerializer()
    takes_effect_on = serializers.DateField()


class HeldPlanSerializer(serializers.Serializer[Any]):
    """The plan that is held, and what is to become of it.

    The month is of UTC days, both included. `change` is to another plan, `price_move` to another
    price of this one; `order` is for a plan that begins once it is paid.
    """

    plan = PlanSerializer()
    keys_left = serializers.IntegerField(help_text="How many more keys can be made.")
    trial_ends_on = serializers.DateField(allow_null=True)
    month_start = serializers.DateField()
    month_end = serializers.DateField()
    change = PlanToComeSerializer(allow_null=True)
    price_move = PlanToComeSerializer(allow_null=True)
    order = OrderSerializer(allow_null=True)


class PlanChangeSerializer(serializers.Serializer[Any]):
    """The plan's code, and the offer's `amount`, which is agreed to."""

    plan = serializers.CharField(max_length=40)
    amount = serializers.IntegerField(min_value=0, max_value=LARGEST_AMOUNT)
    at_once = serializers.BooleanField(default=False)


class PlanView(TenantView):
    scopes = {"GET": Scope.BILLING_READ, "PUT": Scope.BILLING_WRITE}
    asks_again = {"PUT"}

    @extend_schema(summary="Read your plan", responses=HeldPlanSerializer)
    def get(self, request: Request) -> Response:
        """Return the plan that you have, and what is to become of it."""
        return _held(self.caller(request).tenant, now=timezone.now())

    @extend_schema(
        summary="Change your plan", request=PlanChangeSerializer, responses=HeldPlanSerializer
    )
    def put(self, request: Request) -> Response:
        """Change to another plan, as its offer says: at once, or at the month's end.

        Where something is to pay first, or a card to be saved, it begins once a person has done
        that at the `checkout_url` of the `order`. Another amount than the offer's of today is
        refused: `amount_changed`.
        """
        caller, now = self.caller(request), timezone.now()
        asked = PlanChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.plan_change(
            tenant=caller.tenant,
            plan_code=asked.validated_data["plan"],
            shown=asked.validated_data["amount"],
            token="",  # an order that waits is found without, and repeats by the Idempotency-Key
            actor=caller.user,
            now=now,
            at_once=asked.validated_data["at_once"],
        )
        return _held(caller.tenant, now=now)


class PlanKeepView(TenantView):
    scopes = {"POST": Scope.BILLING_WRITE}

    @extend_schema(summary="Keep your plan", request=None, responses=HeldPlanSerializer)
    def post(self, request: Request) -> Response:
        """Take back a change that is to come, or waits for its payment; again changes nothing."""
        caller, now = self.caller(request), timezone.now()
        services.plan_keep(tenant=caller.tenant, actor=caller.user, now=now)
        return _held(caller.tenant, now=now)


def _held(tenant: Tenant, *, now: datetime) -> Response:
    """Answer with the plan that a tenant has. Raise Http404 where it has none."""
    held = selectors.subscription_held(tenant=tenant)
    if held is None:
        raise Http404
    month = period_of(QuotaPeriod.MONTH, now)
    order = selectors.plan_order_waiting(tenant=tenant)
    living = tenants.selectors.api_keys(tenant=tenant).count()
    body = {
        "plan": plan_body(held.plan, held.price),
        "keys_left": max(0, held.plan.usage_plan.most_keys - living),
        "trial_ends_on": day_to_come(held.trial_ends_on, now),
        "month_start": month.start,
        "month_end": month.end - timedelta(days=1),
        "change": _change(selectors.plan_change_to_come(tenant=tenant)),
        "price_move": _price_move(held),
    }
    answer = HeldPlanSerializer({**body, "order": None}).data
    return Response({**answer, "order": order_body(order, now=now) if order else None})


def _change(change: PlanChange | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "plan": plan_body(change.plan, change.price),
        "takes_effect_on": change.takes_effect_on,
    }


def _price_move(held: Subscription) -> dict[str, Any] | None:
    move = selectors.price_move_to_come(subscription=held)
    if move is None:
        return None
    return {"plan": plan_body(held.plan, move.price), "takes_effect_on": move.takes_effect_on}


urlpatterns = [
    path("plan/", PlanView.as_view(), name="api-plan"),
    path("plan/keep/", PlanKeepView.as_view(), name="api-plan-keep"),
]

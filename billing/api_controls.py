"""The management API of what a tenant sets for itself: its spending cap, and automatic top-ups."""

from typing import Any

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors, services
from billing.extensions import auto_top_up_row
from billing.models import SpendingCap
from billing.services.cap_set import MOST
from billing.spending import requests_cost
from tenants.callers import TenantView
from tenants.models import Tenant
from tenants.scopes import Scope


class CapSerializer(serializers.Serializer[Any]):
    """The most that requests may cost in a calendar month (UTC), before tax, in minor units.

    `amount` is null where there is no cap; `spent` is what those of this month cost so far.
    """

    currency = serializers.CharField()
    amount = serializers.IntegerField(allow_null=True)
    spent = serializers.IntegerField()


class CapAskedSerializer(serializers.Serializer[Any]):
    amount = serializers.IntegerField(min_value=0, max_value=MOST, help_text="Minor units.")


class TopUpSerializer(serializers.Serializer[Any]):
    """Which pack is bought by itself, below how many percent of the period's requests, and how
    often in a period at most. `bought`: how often in this one; `off_reason`: why we turned it off.
    """

    on = serializers.BooleanField(source="is_on")
    pack = serializers.CharField(source="pack_code", allow_null=True, default=None)
    percent = serializers.IntegerField()
    most_per_period = serializers.IntegerField(source="most")
    bought = serializers.IntegerField(source="count")
    off_reason = serializers.CharField()


class TopUpAskedSerializer(serializers.Serializer[Any]):
    pack = serializers.CharField(max_length=40)
    percent = serializers.IntegerField(min_value=1, max_value=99)
    most_per_period = serializers.IntegerField(min_value=1, max_value=100)


class CapView(TenantView):
    scopes = {
        "GET": Scope.BILLING_READ,
        "PUT": Scope.BILLING_WRITE,
        "DELETE": Scope.BILLING_WRITE,
    }

    @extend_schema(summary="Read your spending cap", responses=CapSerializer)
    def get(self, request: Request) -> Response:
        """Return the cap, and how much of it is spent."""
        return _cap(self.caller(request).tenant)

    @extend_schema(
        summary="Set your spending cap", request=CapAskedSerializer, responses=CapSerializer
    )
    def put(self, request: Request) -> Response:
        """Set the cap, on a plan that charges requests by use."""
        caller = self.caller(request)
        asked = CapAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.cap_set(
            tenant=caller.tenant, actor=caller.user, now=timezone.now(), **asked.validated_data
        )
        return _cap(caller.tenant)

    @extend_schema(summary="Lift your spending cap", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Take the cap away; again changes nothing."""
        caller = self.caller(request)
        services.cap_lift(tenant=caller.tenant, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TopUpView(TenantView):
    scopes = {
        "GET": Scope.BILLING_READ,
        "PUT": Scope.BILLING_WRITE,
        "DELETE": Scope.BILLING_WRITE,
    }
    asks_again = {"PUT"}

    @extend_schema(summary="Read your automatic top-up", responses=TopUpSerializer)
    def get(self, request: Request) -> Response:
        """Return whether packs are bought by themselves, and which."""
        return _top_up(self.caller(request).tenant)

    @extend_schema(
        summary="Set your automatic top-up",
        request=TopUpAskedSerializer,
        responses=TopUpSerializer,
    )
    def put(self, request: Request) -> Response:
        """Have a pack bought by itself, to the saved card."""
        caller = self.caller(request)
        asked = TopUpAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        services.auto_top_up_set(
            tenant=caller.tenant,
            pack_code=wanted["pack"],
            percent=wanted["percent"],
            most_per_period=wanted["most_per_period"],
            actor=caller.user,
            now=timezone.now(),
        )
        return _top_up(caller.tenant)

    @extend_schema(summary="Turn automatic top-up off", responses={204: None})
    def delete(self, request: Request) -> Response:
        """Buy no more by itself; again changes nothing. What is being charged already is."""
        caller = self.caller(request)
        services.auto_top_up_stop(tenant=caller.tenant, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _cap(tenant: Tenant) -> Response:
    cap = SpendingCap.objects.filter(tenant=tenant).first()
    body = {
        "currency": selectors.currency_of(tenant=tenant),
        "amount": cap.amount if cap else None,
        "spent": requests_cost(tenant=tenant, now=timezone.now()),
    }
    return Response(CapSerializer(body).data)


def _top_up(tenant: Tenant) -> Response:
    return Response(TopUpSerializer(auto_top_up_row(tenant=tenant, now=timezone.now())).data)


urlpatterns = [
    path("spending-cap/", CapView.as_view(), name="api-spending-cap"),
    path("top-up/", TopUpView.as_view(), name="api-top-up"),
]

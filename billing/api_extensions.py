"""The management API of quota extensions: what a tenant has, the packs on sale, and buying one.

Amounts are in minor units of the currency that the tenant pays in.
"""

import uuid
from typing import Any

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing import selectors, services
from billing.api_orders import OrderSerializer, order_body
from billing.extensions import extension_rows
from billing.models import Unused
from billing.tax_tables import taxation_today
from tenants.callers import TenantView
from tenants.scopes import Scope


class ExtensionSerializer(serializers.Serializer[Any]):
    """Requests on top of the plan, for a period of UTC days, both included; what became of them.

    `order` is that of a pack that was bought; null: it was rolled over, or given.
    """

    name = serializers.CharField()
    requests = serializers.IntegerField()
    used = serializers.IntegerField()
    left = serializers.IntegerField()
    expired = serializers.IntegerField()
    rolled_over = serializers.IntegerField()
    rolls_over = serializers.BooleanField()
    state = serializers.CharField()
    period_start = serializers.DateField()
    period_end = serializers.DateField()
    bought_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    order = serializers.UUIDField(source="order.uuid", allow_null=True, default=None)
    may_be_given_back = serializers.BooleanField()


class PackSerializer(serializers.Serializer[Any]):
    """A pack on sale. `amount` is what is to pay, with `tax`."""

    code = serializers.CharField()
    name = serializers.CharField()
    requests = serializers.IntegerField()
    rolls_over = serializers.BooleanField()
    currency = serializers.CharField()
    amount = serializers.IntegerField()
    tax = serializers.IntegerField()


class ExtensionAskedSerializer(serializers.Serializer[Any]):
    """The code of a pack."""

    pack = serializers.CharField(max_length=40)


class ExtensionsView(TenantView):
    scopes = {"GET": Scope.BILLING_READ, "POST": Scope.BILLING_WRITE}
    asks_again = {"POST"}

    @extend_schema(summary="List your extensions", responses=ExtensionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List what was bought, rolled over or given on top of the plan, newest period first."""
        rows = extension_rows(tenant=self.caller(request).tenant, now=timezone.now())
        return Response(ExtensionSerializer(rows, many=True).data)

    @extend_schema(
        summary="Buy an extension",
        request=ExtensionAskedSerializer,
        responses={201: OrderSerializer},
    )
    def post(self, request: Request) -> Response:
        """Order a pack for the current period. It counts once a person has paid it."""
        caller, now = self.caller(request), timezone.now()
        asked = ExtensionAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        order = services.extension_order(
            tenant=caller.tenant,
            pack_code=asked.validated_data["pack"],
            token="",  # repeats are found by the Idempotency-Key
            actor=caller.user,
            now=now,
        )
        return Response(order_body(order, now=now), status=status.HTTP_201_CREATED)


class PacksView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(summary="List the packs on sale", responses=PackSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the packs that can be bought on the plan; none on one that takes none."""
        tenant = self.caller(request).tenant
        taxation = taxation_today(tenant=tenant, now=timezone.now())
        rows = [
            {
                "code": price.pack.code,
                "name": price.pack.name,
                "requests": price.pack.requests,
                "rolls_over": price.pack.unused == Unused.ROLL_OVER,
                "currency": price.currency,
                "amount": price.amount + taxation.on(price.amount),
                "tax": taxation.on(price.amount),
            }
            for price in selectors.pack_prices(tenant=tenant)
        ]
        return Response(PackSerializer(rows, many=True).data)


class GiveBackView(TenantView):
    scopes = {"POST": Scope.BILLING_WRITE}

    @extend_schema(summary="Give a pack back", request=None, responses=OrderSerializer)
    def post(self, request: Request, order_id: uuid.UUID) -> Response:
        """Take the requests of a pack out of the quota; again changes nothing.

        The money follows once it is certain that none of them was used.
        """
        caller, now = self.caller(request), timezone.now()
        order = selectors.order_by_uuid(tenant=caller.tenant, order_uuid=order_id)
        if order is None:
            raise Http404
        order = services.order_take_back(order=order, actor=caller.user, now=now)
        return Response(order_body(order, now=now))


urlpatterns = [
    path("extensions/", ExtensionsView.as_view(), name="api-extensions"),
    path("packs/", PacksView.as_view(), name="api-packs"),
    path("orders/<uuid:order_id>/give-back/", GiveBackView.as_view(), name="api-order-give-back"),
]

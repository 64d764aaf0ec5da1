"""The management API of orders: what was bought, and the way to pay for it.

A call writes an order and asks nobody else: it may be a transaction (tenants/idempotency.py). So
the address that is answered, where a person pays, is a page's, which leads on to Checkout; and
what became of the payment is told by Stripe's webhook, or found by the sweep.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.urls import path, reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing import declines, selectors
from billing.models import Order, OrderPurpose, OrderState
from billing.models.orders import UNPAID
from billing.services.orders import is_deliverable
from tenants.callers import TenantView
from tenants.links import address
from tenants.scopes import Scope


class OrderSerializer(serializers.Serializer[Any]):
    """An order, for days (UTC) that are both included. `amount` is with `tax`.

    It can be paid at `checkout_url`, by a member who may buy, signed in; null: there is nothing to
    pay any more. `applied`: the gateway has what was bought.
    """

    id = serializers.UUIDField(source="uuid")
    purpose = serializers.ChoiceField(choices=OrderPurpose.values)
    state = serializers.ChoiceField(choices=OrderState.values)
    applied = serializers.BooleanField()
    description = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.IntegerField()
    tax = serializers.IntegerField()
    requests = serializers.IntegerField(help_text="Of an extension; 0 of others.")
    period_start = serializers.DateField()
    period_end = serializers.DateField()
    created_at = serializers.DateTimeField()
    decline = serializers.CharField(help_text="Why the last payment failed; empty if none did.")
    checkout_url = serializers.URLField(allow_null=True)


def order_body(order: Order, *, now: datetime) -> dict[str, Any]:
    """Return an order as it is answered."""
    can_be_paid = (
        order.state in UNPAID and not order.is_top_up and is_deliverable(order=order, now=now)
    )
    page = reverse("billing-checkout", args=[order.uuid])
    body: dict[str, Any] = OrderSerializer(
        {
            **{name: getattr(order, name) for name in _FIELDS},
            "applied": selectors.order_is_applied(order, now=now),
            "period_end": order.period_end - timedelta(days=1),
            "decline": declines.in_words(order.decline_code, order.decline_message),
            "checkout_url": address(order.tenant, page) if can_be_paid else None,
        }
    ).data
    return body


_FIELDS = (
    "uuid", "purpose", "state", "description", "currency", "amount", "tax", "requests",
    "period_start", "created_at",
)  # fmt: skip


class OrderView(TenantView):
    scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(summary="Read an order", responses=OrderSerializer)
    def get(self, request: Request, order_id: uuid.UUID) -> Response:
        """Return an order, to see what became of it."""
        order = selectors.order_by_uuid(tenant=self.caller(request).tenant, order_uuid=order_id)
        if order is None:
            raise Http404
        return Response(order_body(order, now=timezone.now()))


urlpatterns = [path("orders/<uuid:order_id>/", OrderView.as_view(), name="api-order")]

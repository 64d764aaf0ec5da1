"""The management API of what is sent to webhook endpoints: deliveries, tests and replays."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.api_webhooks import READ, WRITE, endpoint_of
from tenants.callers import Caller, TenantView
from tenants.models import DeliveryState, WebhookDelivery
from tenants.pagination import PageQuerySerializer, page_of
from tenants.webhook_types import scopes_heard


class AttemptSerializer(serializers.Serializer[Any]):
    """A try. `ended_at` is null while its outcome is not known, `status` where none came."""

    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField()
    request_headers = serializers.DictField(child=serializers.CharField())
    status = serializers.IntegerField(allow_null=True)
    answer = serializers.CharField(help_text="Its first 2 kB.")
    failure = serializers.CharField()


class DeliverySerializer(serializers.Serializer[Any]):
    """An event for an endpoint. `webhook_id` is what receivers tell events apart by."""

    id = serializers.UUIDField(source="uuid")
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    webhook_id = serializers.UUIDField(source="event.uuid")
    type = serializers.CharField(source="event.type")
    occurred_at = serializers.DateTimeField(source="event.occurred_at")
    state = serializers.ChoiceField(choices=DeliveryState.values)
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)


class DeliveryDetailSerializer(DeliverySerializer):
    """With what was sent, and answered. `payload` is null, and no `answer` told, to a token without
    the scope that reads the same elsewhere.
    """

    payload = serializers.DictField(source="event.data", allow_null=True)
    tries = AttemptSerializer(source="attempt_set", many=True)


class DeliveriesQuerySerializer(PageQuerySerializer):
    """Of which state; all of them without."""

    state = serializers.ChoiceField(choices=DeliveryState.values, required=False)


class ReplaySerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="When the oldest of the events occurred.")


class ReplayedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()


def _delivery(caller: Caller, delivery_id: uuid.UUID) -> WebhookDelivery:
    return get_object_or_404(selectors.webhook_deliveries(tenant=caller.tenant), uuid=delivery_id)


class EndpointTestView(TenantView):
    scopes = {"POST": WRITE}

    @extend_schema(summary="Send a test event", request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send a test event to one endpoint. Read the delivery for what became of it."""
        caller = self.caller(request)
        sent = services.webhook_test_send(
            endpoint=endpoint_of(caller, endpoint_id), actor=caller.user, now=timezone.now()
        )
        return Response(DeliverySerializer(sent).data, status=status.HTTP_202_ACCEPTED)


class ReplayFailedView(TenantView):
    scopes = {"POST": WRITE}

    @extend_schema(
        summary="Replay what failed", request=ReplaySerializer, responses={202: ReplayedSerializer}
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send again, under their old ids, the events that failed; return how many.

        It takes the oldest, at most 1,000: asked again, the next.
        """
        caller = self.caller(request)
        endpoint = endpoint_of(caller, endpoint_id)
        asked = ReplaySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        count = services.webhook_replay_failed(
            endpoint=endpoint,
            since=asked.validated_data["since"],
            actor=caller.user,
            now=timezone.now(),
        )
        return Response({"count": count}, status=status.HTTP_202_ACCEPTED)


class DeliveriesView(TenantView):
    scopes = {"GET": READ}

    @extend_schema(
        summary="List an endpoint's deliveries",
        parameters=[DeliveriesQuerySerializer],
        responses=DeliverySerializer(many=True),
    )
    def get(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """List an endpoint's deliveries of the last 30 days, newest first; the Link header leads
        to older ones.
        """
        endpoint = endpoint_of(self.caller(request), endpoint_id)
        asked = DeliveriesQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        deliveries = endpoint.deliveries.select_related("event", "endpoint")
        if "state" in asked.validated_data:
            deliveries = deliveries.filter(state=asked.validated_data["state"])
        page, headers = page_of(deliveries, at="created_at", request=request)
        return Response(DeliverySerializer(page, many=True).data, headers=headers)


class DeliveryView(TenantView):
    scopes = {"GET": READ}

    @extend_schema(summary="Read a delivery", responses=DeliveryDetailSerializer)
    def get(self, request: Request, delivery_id: uuid.UUID) -> Response:
        """Return a delivery with what was sent and answered."""
        caller = self.caller(request)
        delivery = _delivery(caller, delivery_id)
        body = DeliveryDetailSerializer(delivery).data
        if not scopes_heard([delivery.event.type]) <= caller.scopes:
            body["payload"] = None
            for each in body["tries"]:
                each["answer"] = ""  # which may say again what was sent
        return Response(body)


class DeliveryReplayView(TenantView):
    scopes = {"POST": WRITE}

    @extend_schema(summary="Replay a delivery", request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, delivery_id: uuid.UUID) -> Response:
        """Send an event again, under its old id."""
        caller = self.caller(request)
        services.webhook_replay(
            delivery=_delivery(caller, delivery_id), actor=caller.user, now=timezone.now()
        )
        sent = _delivery(caller, delivery_id)
        return Response(DeliverySerializer(sent).data, status=status.HTTP_202_ACCEPTED)


_ONE = "webhooks/<uuid:endpoint_id>/"
_DELIVERY = "webhooks/deliveries/<uuid:delivery_id>/"
urlpatterns = [
    path(f"{_ONE}test/", EndpointTestView.as_view(), name="api-webhook-test"),
    path(f"{_ONE}replay/", ReplayFailedView.as_view(), name="api-webhook-replay-failed"),
    path(f"{_ONE}deliveries/", DeliveriesView.as_view(), name="api-webhook-deliveries"),
    path(_DELIVERY, DeliveryView.as_view(), name="api-webhook-delivery"),
    path(f"{_DELIVERY}replay/", DeliveryReplayView.as_view(), name="api-webhook-replay"),
]

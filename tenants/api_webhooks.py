"""The management API of webhooks: endpoints, what was sent to them, tests and replays."""

import uuid
from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.callers import Caller, TenantView
from tenants.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tenants.pagination import PageQuerySerializer, page_of
from tenants.scopes import Scope

READ, WRITE = Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE


class EndpointSerializer(serializers.Serializer[Any]):
    """An endpoint, never its secret. No `event_types`: it hears of all."""

    id = serializers.UUIDField(source="uuid")
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    is_active = serializers.BooleanField()
    disabled_reason = serializers.CharField()
    failing_since = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class NewEndpointSerializer(EndpointSerializer):
    """An endpoint with its secret: in this answer, and never again."""

    secret = serializers.CharField(allow_null=True)


class EndpointAskedSerializer(serializers.Serializer[Any]):
    """Where it is, and what it hears of: of all where no types are given."""

    url = serializers.CharField(max_length=500)
    description = serializers.CharField(max_length=120, allow_blank=True, default="")
    event_types = serializers.ListField(child=serializers.CharField(max_length=40), default=list)


class EndpointChangedSerializer(EndpointAskedSerializer):
    """The same, and whether anything is sent to it."""

    is_active = serializers.BooleanField(default=True)


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
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    next_attempt_at = serializers.DateTimeField(allow_null=True)


class DeliveryDetailSerializer(DeliverySerializer):
    payload = serializers.DictField(source="event.data")
    tries = AttemptSerializer(source="attempt_set", many=True)


class DeliveriesQuerySerializer(PageQuerySerializer):
    """Of which state; all of them without."""

    state = serializers.ChoiceField(choices=DeliveryState.values, required=False)


class ReplaySerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="When the oldest of the events occurred.")


class ReplayedSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()


def _endpoint(caller: Caller, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    return get_object_or_404(selectors.webhook_endpoints(tenant=caller.tenant), uuid=endpoint_id)


def _delivery(caller: Caller, delivery_id: uuid.UUID) -> WebhookDelivery:
    return get_object_or_404(selectors.webhook_deliveries(tenant=caller.tenant), uuid=delivery_id)


def _with_secret(endpoint: WebhookEndpoint, *, now: datetime, code: int) -> Response:
    secret = services.webhook_secret_reveal(endpoint=endpoint, now=now)
    body = {**EndpointSerializer(endpoint).data, "secret": secret}
    return Response(body, status=code, headers={"Cache-Control": "no-store"})


class EndpointsView(TenantView):
    scopes = {"GET": READ, "POST": WRITE}

    @extend_schema(summary="List your webhook endpoints", responses=EndpointSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the endpoints, oldest first."""
        endpoints = selectors.webhook_endpoints(tenant=self.caller(request).tenant)
        return Response(EndpointSerializer(endpoints, many=True).data)

    @extend_schema(
        summary="Add a webhook endpoint",
        request=EndpointAskedSerializer,
        responses={201: NewEndpointSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add an endpoint. Its secret is in this answer, and never again."""
        caller, now = self.caller(request), timezone.now()
        asked = EndpointAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        endpoint = services.webhook_endpoint_create(
            tenant=caller.tenant, actor=caller.user, now=now, **asked.validated_data
        )
        return _with_secret(endpoint, now=now, code=status.HTTP_201_CREATED)


class EndpointView(TenantView):
    scopes = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}

    @extend_schema(summary="Read a webhook endpoint", responses=EndpointSerializer)
    def get(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Return an endpoint."""
        endpoint = _endpoint(self.caller(request), endpoint_id)
        return Response(EndpointSerializer(endpoint).data)

    @extend_schema(
        summary="Change a webhook endpoint",
        request=EndpointChangedSerializer,
        responses=EndpointSerializer,
    )
    def put(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Change an endpoint, disable it or enable it. What waits while it is disabled fails."""
        caller = self.caller(request)
        endpoint = _endpoint(caller, endpoint_id)
        asked = EndpointChangedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        is_active = wanted.pop("is_active")
        act: dict[str, Any] = {"actor": caller.user, "now": timezone.now()}
        services.webhook_endpoint_update(endpoint=endpoint, **wanted, **act)
        if is_active:
            services.webhook_endpoint_enable(endpoint=endpoint, **act)
        else:
            services.webhook_endpoint_disable(endpoint=endpoint, **act)
        return Response(EndpointSerializer(_endpoint(caller, endpoint_id)).data)

    @extend_schema(summary="Delete a webhook endpoint", responses={204: None})
    def delete(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Delete an endpoint with its log."""
        caller = self.caller(request)
        endpoint = _endpoint(caller, endpoint_id)
        services.webhook_endpoint_delete(endpoint=endpoint, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretRotateView(TenantView):
    scopes = {"POST": WRITE}

    @extend_schema(
        summary="Rotate a webhook endpoint's secret",
        request=None,
        responses={201: NewEndpointSerializer},
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Give an endpoint another secret. For 24 hours the one before signs as well."""
        caller, now = self.caller(request), timezone.now()
        endpoint = _endpoint(caller, endpoint_id)
        services.webhook_secret_rotate(endpoint=endpoint, actor=caller.user, now=now)
        return _with_secret(endpoint, now=now, code=status.HTTP_201_CREATED)


class EndpointTestView(TenantView):
    scopes = {"POST": WRITE}

    @extend_schema(summary="Send a test event", request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send a test event to one endpoint. Read the delivery for what became of it."""
        caller = self.caller(request)
        sent = services.webhook_test_send(
            endpoint=_endpoint(caller, endpoint_id), actor=caller.user, now=timezone.now()
        )
        return Response(DeliverySerializer(sent).data, status=status.HTTP_202_ACCEPTED)


class ReplayFailedView(TenantView):
    scopes = {"POST": WRITE}

    @extend_schema(
        summary="Replay what failed", request=ReplaySerializer, responses={202: ReplayedSerializer}
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send again, under their old ids, the events that failed; return how many."""
        caller = self.caller(request)
        endpoint = _endpoint(caller, endpoint_id)
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
        endpoint = _endpoint(self.caller(request), endpoint_id)
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
        delivery = _delivery(self.caller(request), delivery_id)
        return Response(DeliveryDetailSerializer(delivery).data)


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
    path("webhooks/", EndpointsView.as_view(), name="api-webhooks"),
    path(_ONE, EndpointView.as_view(), name="api-webhook"),
    path(f"{_ONE}rotate/", SecretRotateView.as_view(), name="api-webhook-rotate"),
    path(f"{_ONE}test/", EndpointTestView.as_view(), name="api-webhook-test"),
    path(f"{_ONE}replay/", ReplayFailedView.as_view(), name="api-webhook-replay-failed"),
    path(f"{_ONE}deliveries/", DeliveriesView.as_view(), name="api-webhook-deliveries"),
    path(_DELIVERY, DeliveryView.as_view(), name="api-webhook-delivery"),
    path(f"{_DELIVERY}replay/", DeliveryReplayView.as_view(), name="api-webhook-replay"),
]

"""The management API of webhook endpoints; what is sent to them is in api_webhook_log.py."""

import uuid
from collections.abc import Sequence
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
from tenants.models import WebhookEndpoint
from tenants.scopes import Scope
from tenants.webhook_types import TEST, event_types, scopes_heard

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
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=[each.name for each in event_types()]), default=list
    )


class EndpointChangedSerializer(EndpointAskedSerializer):
    """The same, and whether anything is sent to it."""

    is_active = serializers.BooleanField(default=True)


def endpoint_of(caller: Caller, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """Return the caller's own endpoint; a stranger's does not exist."""
    return get_object_or_404(selectors.webhook_endpoints(tenant=caller.tenant), uuid=endpoint_id)


def _demand_heard(caller: Caller, wanted: Sequence[str], before: WebhookEndpoint | None) -> None:
    """Raise ScopeMissing where an endpoint is to hear of what the caller may not read.

    Without types it hears of all. What it heard of before is sent, or replayed, to the address that
    it has by then.
    """
    heard = {*(wanted or [each.name for each in event_types()])}
    if before is not None:
        heard |= {*(before.event_types or [each.name for each in event_types()])}
        heard |= {*before.deliveries.order_by().values_list("event__type", flat=True).distinct()}
    caller.demand(scopes_heard(heard - {TEST}))


def _with_secret(endpoint: WebhookEndpoint, *, now: datetime, code: int) -> Response:
    secret = services.webhook_secret_reveal(endpoint=endpoint, now=now)
    body = {**EndpointSerializer(endpoint).data, "secret": secret}
    return Response(body, status=code, headers={"Cache-Control": "no-store"})


class EndpointsView(TenantView):
    scopes = {"GET": READ, "POST": WRITE}
    asks_again = {"POST"}

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
        """Add an endpoint. Its secret is in this answer, and never again.

        A token needs the scopes that read what the events tell of; of all where it names no types.
        """
        caller, now = self.caller(request), timezone.now()
        asked = EndpointAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        _demand_heard(caller, asked.validated_data["event_types"], None)
        endpoint = services.webhook_endpoint_create(
            tenant=caller.tenant, actor=caller.user, now=now, **asked.validated_data
        )
        return _with_secret(endpoint, now=now, code=status.HTTP_201_CREATED)


class EndpointView(TenantView):
    scopes = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}

    @extend_schema(summary="Read a webhook endpoint", responses=EndpointSerializer)
    def get(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Return an endpoint."""
        endpoint = endpoint_of(self.caller(request), endpoint_id)
        return Response(EndpointSerializer(endpoint).data)

    @extend_schema(
        summary="Change a webhook endpoint",
        request=EndpointChangedSerializer,
        responses=EndpointSerializer,
    )
    def put(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Change an endpoint, disable it or enable it. What waits while it is disabled fails."""
        caller = self.caller(request)
        endpoint = endpoint_of(caller, endpoint_id)
        asked = EndpointChangedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        is_active = wanted.pop("is_active")
        is_moved = wanted["url"] != endpoint.url
        _demand_heard(caller, wanted["event_types"], endpoint if is_moved else None)
        act: dict[str, Any] = {"actor": caller.user, "now": timezone.now()}
        services.webhook_endpoint_update(endpoint=endpoint, **wanted, **act)
        if is_active:
            services.webhook_endpoint_enable(endpoint=endpoint, **act)
        else:
            services.webhook_endpoint_disable(endpoint=endpoint, **act)
        return Response(EndpointSerializer(endpoint_of(caller, endpoint_id)).data)

    @extend_schema(summary="Delete a webhook endpoint", responses={204: None})
    def delete(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Delete an endpoint with its log."""
        caller = self.caller(request)
        endpoint = endpoint_of(caller, endpoint_id)
        services.webhook_endpoint_delete(endpoint=endpoint, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretRotateView(TenantView):
    scopes = {"POST": WRITE}
    asks_again = {"POST"}

    @extend_schema(
        summary="Rotate a webhook endpoint's secret",
        request=None,
        responses={201: NewEndpointSerializer},
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Give an endpoint another secret. For 24 hours the one before signs as well."""
        caller, now = self.caller(request), timezone.now()
        endpoint = endpoint_of(caller, endpoint_id)
        services.webhook_secret_rotate(endpoint=endpoint, actor=caller.user, now=now)
        return _with_secret(endpoint, now=now, code=status.HTTP_201_CREATED)


_ONE = "webhooks/<uuid:endpoint_id>/"
urlpatterns = [
    path("webhooks/", EndpointsView.as_view(), name="api-webhooks"),
    path(_ONE, EndpointView.as_view(), name="api-webhook"),
    path(f"{_ONE}rotate/", SecretRotateView.as_view(), name="api-webhook-rotate"),
]

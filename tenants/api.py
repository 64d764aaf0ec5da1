"""The management API of this app: keys and usage, for a tenant's own automation.

Thin over services and selectors. Every query starts from the caller's tenant, so that a stranger's
things are not found. The reading part is sold through the gateway, too (tenants/callers.py).
"""

import uuid
from datetime import UTC, timedelta
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.callers import TenantView
from tenants.models import ApiKey, ApiKeyVersion
from tenants.permissions import Act

MOST_DAYS = 400
USAGE_FIELDS = (
    "used_today", "used_period", "limit", "remaining", "unlimited",
    "period_start", "period_end", "resets_at", "synced_at",
)  # fmt: skip


class KeySerializer(serializers.Serializer[Any]):
    """A key, never its value."""

    id = serializers.UUIDField(source="uuid")
    name = serializers.CharField()
    status = serializers.CharField()
    last_four = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewKeySerializer(KeySerializer):
    """A key with its value: in this answer, and never again."""

    value = serializers.CharField(allow_null=True)


class KeyNameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=60)


class UsageQuerySerializer(serializers.Serializer[Any]):
    """UTC days, both included; the current period by default."""

    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    key = serializers.UUIDField(required=False)


class UsageDaySerializer(serializers.Serializer[Any]):
    """A UTC day in requests, and how many conversions were made on it (0 where one key's)."""

    day = serializers.DateField()
    used = serializers.IntegerField()
    remaining = serializers.IntegerField(allow_null=True)
    conversions = serializers.IntegerField()


class UsageSerializer(serializers.Serializer[Any]):
    """Where the tenant stands, in requests, and the days asked for."""

    used_today = serializers.IntegerField()
    used_period = serializers.IntegerField()
    limit = serializers.IntegerField()
    remaining = serializers.IntegerField()
    unlimited = serializers.BooleanField()
    period_start = serializers.DateField()
    period_end = serializers.DateField()
    resets_at = serializers.DateTimeField()
    synced_at = serializers.DateTimeField(allow_null=True)
    days = UsageDaySerializer(many=True)


def _key(version: ApiKeyVersion, **extra: Any) -> dict[str, Any]:
    return {
        "uuid": version.api_key.uuid,
        "name": version.api_key.name,
        "status": version.status,
        "last_four": version.last_four,
        "created_at": version.created_at,
        **extra,
    }


def _new_key(version: ApiKeyVersion) -> Response:
    value = services.api_key_value_reveal(version=version, now=timezone.now())
    body = NewKeySerializer(_key(version, value=value)).data
    return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class KeysView(TenantView):
    @extend_schema(summary="List your keys", responses=KeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the keys that are not revoked, oldest first."""
        keys = selectors.api_keys(tenant=self.caller(request).tenant)
        rows = [_key(selectors.newest_version(api_key=key)) for key in keys]
        return Response(KeySerializer(rows, many=True).data)

    @extend_schema(
        summary="Create a key", request=KeyNameSerializer, responses={201: NewKeySerializer}
    )
    def post(self, request: Request) -> Response:
        """Create a key. Its value is in this answer, and never again."""
        member = self.member(request, Act.CHANGE_KEYS)
        asked = KeyNameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version = services.api_key_create(
            tenant=member.tenant,
            name=asked.validated_data["name"],
            actor=member.user,
            now=timezone.now(),
        )
        return _new_key(version)


class KeyRotateView(TenantView):
    @extend_schema(summary="Rotate a key", request=None, responses={201: NewKeySerializer})
    def post(self, request: Request, key_id: uuid.UUID) -> Response:
        """Give a key a new value; the old one stops at once."""
        member = self.member(request, Act.CHANGE_KEYS)
        key = get_object_or_404(ApiKey, tenant=member.tenant, uuid=key_id)
        version = services.api_key_rotate(api_key=key, actor=member.user, now=timezone.now())
        return _new_key(version)


class KeyRevokeView(TenantView):
    @extend_schema(summary="Revoke a key", request=None, responses={204: None})
    def post(self, request: Request, key_id: uuid.UUID) -> Response:
        """Revoke a key for good; again changes nothing."""
        member = self.member(request, Act.CHANGE_KEYS)
        key = get_object_or_404(ApiKey, tenant=member.tenant, uuid=key_id)
        services.api_key_revoke(api_key=key, actor=member.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class UsageView(TenantView):
    @extend_schema(
        summary="Read your usage",
        parameters=[
            OpenApiParameter("start", type=str, description="First UTC day, YYYY-MM-DD."),
            OpenApiParameter("end", type=str, description="Last UTC day, YYYY-MM-DD."),
            OpenApiParameter("key", type=str, description="A key's id; all keys without it."),
        ],
        responses=UsageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return where the tenant stands, and a row for each day."""
        tenant = self.caller(request).tenant
        asked = UsageQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        now = timezone.now()
        usage = selectors.usage_now(tenant=tenant, now=now)
        end = asked.validated_data.get("end", now.astimezone(UTC).date())
        start = asked.validated_data.get("start", min(usage.period_start, end))
        if not timedelta(0) <= end - start <= timedelta(days=MOST_DAYS):
            text = f"Ask for 1 to {MOST_DAYS} days, the end not before the start."
            raise serializers.ValidationError({"end": text})
        key = None
        if "key" in asked.validated_data:
            key = get_object_or_404(ApiKey, tenant=tenant, uuid=asked.validated_data["key"])
        days = selectors.usage_days(tenant=tenant, start=start, end=end, api_key=key, now=now)
        figures = {name: getattr(usage, name) for name in USAGE_FIELDS}
        return Response(UsageSerializer({**figures, "days": days}).data)


urlpatterns = [
    path("keys/", KeysView.as_view(), name="api-keys"),
    path("keys/<uuid:key_id>/rotate/", KeyRotateView.as_view(), name="api-key-rotate"),
    path("keys/<uuid:key_id>/revoke/", KeyRevokeView.as_view(), name="api-key-revoke"),
    path("usage/", UsageView.as_view(), name="api-usage"),
]

"""The management API of usage: where a tenant stands, and its days."""

from datetime import UTC, timedelta
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors
from tenants.callers import TenantView
from tenants.days import day_check
from tenants.models import ApiKey
from tenants.scopes import Scope

MOST_DAYS = 400
USAGE_FIELDS = (
    "used_today", "used_period", "limit", "remaining", "unlimited",
    "period_start", "period_end", "resets_at", "synced_at",
)  # fmt: skip


class UsageQuerySerializer(serializers.Serializer[Any]):
    """UTC days, both included; the current period by default."""

    start = serializers.DateField(
        required=False, validators=[day_check], help_text="First UTC day, YYYY-MM-DD."
    )
    end = serializers.DateField(
        required=False, validators=[day_check], help_text="Last UTC day, YYYY-MM-DD; 400 at most."
    )
    key = serializers.UUIDField(required=False, help_text="A key's id; all keys without it.")


class UsageDaySerializer(serializers.Serializer[Any]):
    """A UTC day in requests, and how many conversions were made on it (0 where one key's).
    `remaining` is of the day's own quota period; null where it had no limit, or none on record.
    """

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
    unlimited = serializers.BooleanField(
        help_text="Whether neither quota nor spending cap applies."
    )
    period_start = serializers.DateField()
    period_end = serializers.DateField()
    resets_at = serializers.DateTimeField()
    synced_at = serializers.DateTimeField(allow_null=True)
    days = UsageDaySerializer(many=True)


class UsageView(TenantView):
    scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(
        summary="Read your usage",
        parameters=[UsageQuerySerializer],
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
        if not timedelta(0) <= end - start < timedelta(days=MOST_DAYS):  # both included
            text = f"Ask for 1 to {MOST_DAYS} days, the end not before the start."
            raise serializers.ValidationError({"end": text})
        key = None
        if "key" in asked.validated_data:
            key = get_object_or_404(ApiKey, tenant=tenant, uuid=asked.validated_data["key"])
        days = selectors.usage_days(tenant=tenant, start=start, end=end, api_key=key, now=now)
        figures = {name: getattr(usage, name) for name in USAGE_FIELDS}
        return Response(UsageSerializer({**figures, "days": days}).data)


urlpatterns = [path("usage/", UsageView.as_view(), name="api-usage")]

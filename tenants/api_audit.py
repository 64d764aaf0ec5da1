"""The management API of the audit trail, which nobody changes."""

from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors
from tenants.audit_words import Part
from tenants.callers import TenantView
from tenants.days import day_check
from tenants.models import ActorKind
from tenants.pagination import PageQuerySerializer, page_of
from tenants.scopes import Scope


class AuditQuerySerializer(PageQuerySerializer):
    """Whose acts, about what, on which UTC days (both included)."""

    actor = serializers.CharField(
        required=False, help_text="A name as entries have it, or a kind of actor."
    )
    part = serializers.ChoiceField(required=False, choices=Part.values)
    start = serializers.DateField(required=False, validators=[day_check])
    end = serializers.DateField(required=False, validators=[day_check])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Raise ValidationError for days of which the last comes before the first."""
        start, end = attrs.get("start"), attrs.get("end")
        if start and end and end < start:
            raise serializers.ValidationError({"end": _("The end is before the start.")})
        return attrs


class AuditEntrySerializer(serializers.Serializer[Any]):
    """An act. `actor` is a mail address, a machine token's name, or empty."""

    at = serializers.DateTimeField()
    actor = serializers.CharField(source="actor_name", allow_blank=True)
    actor_kind = serializers.ChoiceField(choices=ActorKind.values)
    action = serializers.CharField()
    target = serializers.CharField(allow_blank=True)
    address = serializers.IPAddressField(source="told_address", allow_null=True)
    details = serializers.DictField(source="data")


class AuditView(TenantView):
    scopes = {"GET": Scope.AUDIT_READ}

    @extend_schema(
        summary="List the audit trail",
        parameters=[AuditQuerySerializer],
        responses=AuditEntrySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List who did what, newest first, a page at a time: the `Link` header has the next."""
        caller = self.caller(request)
        query = AuditQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        names = ("actor", "part", "start", "end")
        asked = {name: query.validated_data[name] for name in names if name in query.validated_data}
        entries = selectors.audit_entries(
            tenant=caller.tenant, asked=selectors.AuditFilter(**asked)
        )
        rows, headers = page_of(entries, at="at", request=request)
        return Response(AuditEntrySerializer(rows, many=True).data, headers=headers)


urlpatterns = [path("audit/", AuditView.as_view(), name="api-audit")]

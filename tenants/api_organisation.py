"""The management API of the organisation's own settings."""

from typing import Any

from django.conf import settings
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import services
from tenants.callers import TenantView
from tenants.models import Tenant
from tenants.scopes import Scope


class OrganisationSerializer(serializers.Serializer[Any]):
    """The organisation. Mails and invoices are in its `language`."""

    id = serializers.UUIDField(source="uuid")
    name = serializers.CharField()
    language = serializers.CharField()
    created_at = serializers.DateTimeField()


class OrganisationChangeSerializer(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    name = serializers.CharField(
        max_length=Tenant._meta.get_field("name").max_length, required=False
    )
    language = serializers.ChoiceField(
        choices=[code for code, _name in settings.LANGUAGES], required=False
    )


class OrganisationView(TenantView):
    scopes = {"GET": Scope.SETTINGS_READ, "PATCH": Scope.SETTINGS_WRITE}

    @extend_schema(summary="Read your organisation", responses=OrganisationSerializer)
    def get(self, request: Request) -> Response:
        """Return the organisation."""
        tenant = self.caller(request).tenant
        tenant.refresh_from_db()  # by If-Match it is read once it is locked
        return Response(OrganisationSerializer(tenant).data)

    @extend_schema(
        summary="Change your organisation",
        request=OrganisationChangeSerializer,
        responses=OrganisationSerializer,
    )
    def patch(self, request: Request) -> Response:
        """Change its name, or its language."""
        caller = self.caller(request)
        asked = OrganisationChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        changed = services.tenant_update(
            tenant=caller.tenant, actor=caller.user, now=timezone.now(), **asked.validated_data
        )
        return Response(OrganisationSerializer(changed).data)


urlpatterns = [path("organisation/", OrganisationView.as_view(), name="api-organisation")]

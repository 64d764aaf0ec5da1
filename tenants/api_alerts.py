"""The management API of alerts: what was told, and how it is to be told."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.alert_types import alert_type
from tenants.callers import Caller, TenantView
from tenants.models import Alert, AlertSettings, Member
from tenants.pagination import PageQuerySerializer, page_of
from tenants.scopes import Scope

MONEY = frozenset({"spending_percents", "spending_amounts"})


class AlertSerializer(serializers.Serializer[Any]):
    """An alert. `figures` are those of the webhook event that tells the same; `title` says it. Both
    are null to a token without the scope that reads the same elsewhere: money takes `billing:read`,
    keys take `keys:read`.
    """

    id = serializers.UUIDField(source="uuid")
    kind = serializers.CharField()
    title = serializers.SerializerMethodField()
    figures = serializers.DictField(source="data", allow_null=True)
    raised_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField(allow_null=True)

    def get_title(self, alert: Alert) -> str | None:
        return alert_type(alert.kind).title(alert.data)


def _told(alert: Alert, caller: Caller) -> dict[str, Any]:
    body: dict[str, Any] = AlertSerializer(alert).data
    if alert_type(alert.kind).scope not in caller.scopes:
        body |= {"title": None, "figures": None}
    return body


class AlertsQuerySerializer(PageQuerySerializer):
    """Whether those alone that nobody has seen."""

    unseen = serializers.BooleanField(required=False, default=False)


class AlertSettingsSerializer(serializers.Serializer[Any]):
    """When, and how, the organisation is told. What is left out of a change stays as it is. What is
    about spending is not told to a token without `billing:read`.
    """

    quota_percents = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100), required=False,
        help_text="Percents of the period's requests.",
    )  # fmt: skip
    spending_percents = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=100), required=False,
        help_text="Percents of the spending cap.",
    )  # fmt: skip
    spending_amounts = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=services.LARGEST_AMOUNT),
        required=False,
        help_text="What a month's usage costs, in minor units of the currency that you pay in.",
    )
    mailed = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False,
        help_text="The kinds that are mailed, too: quota, spending, unusual_usage.",
    )  # fmt: skip


class AlertMailsSerializer(serializers.Serializer[Any]):
    """Whether alerts come by mail to the member who asks, whatever others get."""

    wanted = serializers.BooleanField()


class AlertsView(TenantView):
    scopes = {"GET": Scope.ALERTS_READ}

    @extend_schema(
        summary="List your alerts",
        parameters=[AlertsQuerySerializer],
        responses=AlertSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List what the organisation was told, newest first; the Link header leads to older."""
        asked = AlertsQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        caller = self.caller(request)
        found = selectors.alerts(tenant=caller.tenant)
        if asked.validated_data["unseen"]:
            found = found.filter(seen_at=None)
        page, headers = page_of(found, at="raised_at", request=request)
        return Response([_told(alert, caller) for alert in page], headers=headers)


class AlertSeeView(TenantView):
    scopes = {"POST": Scope.ALERTS_WRITE}

    @extend_schema(summary="Mark an alert as seen", request=None, responses=AlertSerializer)
    def post(self, request: Request, alert_id: uuid.UUID) -> Response:
        """Note that somebody has seen it; again changes nothing."""
        caller = self.caller(request)
        alert = get_object_or_404(selectors.alerts(tenant=caller.tenant), uuid=alert_id)
        services.alerts_see(
            tenant=caller.tenant, alert=alert, actor=caller.user, now=timezone.now()
        )
        alert.refresh_from_db()
        return Response(_told(alert, caller))


class AlertSettingsView(TenantView):
    scopes = {"GET": Scope.ALERTS_READ, "PATCH": Scope.ALERTS_WRITE}

    @extend_schema(summary="Read the alerts' settings", responses=AlertSettingsSerializer)
    def get(self, request: Request) -> Response:
        """Return when, and how, the organisation is told."""
        caller = self.caller(request)
        return _settings(selectors.alert_settings(tenant=caller.tenant), caller)

    @extend_schema(
        summary="Change the alerts' settings",
        request=AlertSettingsSerializer,
        responses=AlertSettingsSerializer,
    )
    def patch(self, request: Request) -> Response:
        """Change what is given. Those of spending take the scope `billing:write` as well, the
        others `settings:write`.
        """
        caller = self.caller(request)
        asked = AlertSettingsSerializer(data=request.data)
        if caller.scopes.isdisjoint({Scope.BILLING_WRITE, Scope.SETTINGS_WRITE}):
            raise PermissionDenied("Your role, or your token, does not allow this.")
        asked.is_valid(raise_exception=True)
        caller.demand(
            Scope.BILLING_WRITE if name in MONEY else Scope.SETTINGS_WRITE
            for name in asked.validated_data
        )
        found = services.alert_settings_update(
            tenant=caller.tenant, actor=caller.user, now=timezone.now(), **asked.validated_data
        )
        return _settings(found, caller)


class AlertMailsView(TenantView):
    scopes = {"GET": Scope.ALERTS_READ, "PUT": Scope.ALERTS_WRITE}

    @extend_schema(summary="Read whether alerts are mailed to you", responses=AlertMailsSerializer)
    def get(self, request: Request) -> Response:
        """Say whether the member gets alerts by mail. A machine, which gets none, is refused."""
        return Response({"wanted": self._member(request).alert_mails})

    @extend_schema(
        summary="Choose whether alerts are mailed to you",
        request=AlertMailsSerializer,
        responses=AlertMailsSerializer,
    )
    def put(self, request: Request) -> Response:
        """Have the member get alerts by mail, or none; again changes nothing."""
        member = self._member(request)
        asked = AlertMailsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.alert_mails_choose(member=member, now=timezone.now(), **asked.validated_data)
        return Response(asked.validated_data)

    def _member(self, request: Request) -> Member:
        member = self.caller(request).member
        if member is None:
            raise PermissionDenied("A machine gets no mails. This takes a member's own token.")
        return member


def _settings(found: AlertSettings, caller: Caller) -> Response:
    told = {
        "quota_percents": found.quota_percents,
        "spending_percents": found.spending_percents,
        "spending_amounts": found.spending_amounts,
        "mailed": services.kinds_mailed(found),
    }
    hidden = frozenset() if Scope.BILLING_READ in caller.scopes else MONEY
    return Response({name: value for name, value in told.items() if name not in hidden})


urlpatterns = [
    path("alerts/", AlertsView.as_view(), name="api-alerts"),
    path("alerts/settings/", AlertSettingsView.as_view(), name="api-alert-settings"),
    path("alerts/mails/", AlertMailsView.as_view(), name="api-alert-mails"),
    path("alerts/<uuid:alert_id>/seen/", AlertSeeView.as_view(), name="api-alert-see"),
]

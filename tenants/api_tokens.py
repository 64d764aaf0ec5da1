"""The management API of its own tokens.

A caller makes none that can do more, or longer, than themselves. A machine's token changes other
machines' alone, and a personal one makes its member's alone.
"""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.callers import Caller, TenantView
from tenants.models import ApiToken
from tenants.permissions import Act, may
from tenants.scopes import Scope
from tenants.services.tokens import MOST_DAYS, USUAL_DAYS


class TokenSerializer(serializers.Serializer[Any]):
    """A token, never its value. `user` is whom a personal one acts as; null: a machine's."""

    id = serializers.UUIDField(source="uuid")
    name = serializers.CharField()
    user = serializers.EmailField(source="user.email", allow_null=True, default=None)
    scopes = serializers.ListField(child=serializers.CharField())
    last_four = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_on = serializers.DateField(allow_null=True)


class NewTokenSerializer(TokenSerializer):
    """A token with its value: in this answer, and never again."""

    value = serializers.CharField()


class TokenAskedSerializer(serializers.Serializer[Any]):
    """`machine`: it acts as nobody in person, and outlives its maker's membership."""

    name = serializers.CharField(max_length=60)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[scope.value for scope in Scope]), min_length=1
    )
    machine = serializers.BooleanField(default=False)
    expires_in_days = serializers.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        default=USUAL_DAYS,
        allow_null=True,
        help_text="Null: it works until it is revoked.",
    )


class TokensView(TenantView):
    scopes = {"GET": Scope.TOKENS_READ, "POST": Scope.TOKENS_WRITE}
    asks_again = {"POST"}

    @extend_schema(summary="List your tokens", responses=TokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the tokens that work, the organisation's and all members', newest first."""
        caller = self.caller(request)
        tokens = selectors.api_tokens(tenant=caller.tenant, now=timezone.now())
        return Response(TokenSerializer(tokens, many=True).data)

    @extend_schema(
        summary="Create a token", request=TokenAskedSerializer, responses={201: NewTokenSerializer}
    )
    def post(self, request: Request) -> Response:
        """Create a token. Its value is in this answer, and never again."""
        caller = self.caller(request)
        asked = TokenAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        if not wanted["machine"] and caller.user is None:
            raise PermissionDenied("A machine's token makes tokens of machines alone.")
        if wanted["machine"] and not _may_change_machines(caller):
            raise PermissionDenied("Your role may make tokens of its own alone.")
        if wanted["machine"] and caller.token and caller.user:
            raise PermissionDenied("A personal token makes no machine's token.")
        token, value = services.api_token_create(
            tenant=caller.tenant,
            user=None if wanted["machine"] else caller.user,
            name=wanted["name"],
            scopes={Scope(name) for name in wanted["scopes"]},
            days=wanted["expires_in_days"],
            actor=caller.user,
            made_by=caller.token,
            now=timezone.now(),
        )
        body = {**TokenSerializer(token).data, "value": value}
        return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class TokenView(TenantView):
    scopes = {"DELETE": Scope.TOKENS_WRITE}

    @extend_schema(summary="Revoke a token", responses={204: None})
    def delete(self, request: Request, token_id: uuid.UUID) -> Response:
        """Revoke a token and those that it made, from the next call on; again changes nothing."""
        caller = self.caller(request)
        token = get_object_or_404(ApiToken, tenant=caller.tenant, uuid=token_id)
        is_own = token.user is not None and token.user == caller.user
        is_in_reach = token.is_machines or caller.user is not None
        if not is_own and not (is_in_reach and _may_change_machines(caller)):
            raise PermissionDenied("This token is somebody else's.")
        services.api_token_revoke(token=token, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _may_change_machines(caller: Caller) -> bool:
    """Say whether the caller's role allows it; a machine's token has its scopes alone."""
    return caller.member is None or may(caller.member, Act.CHANGE_TOKENS)


urlpatterns = [
    path("tokens/", TokensView.as_view(), name="api-tokens"),
    path("tokens/<uuid:token_id>/", TokenView.as_view(), name="api-token"),
]

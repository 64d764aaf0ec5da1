"""The management API of keys; the other modules `api_…` are of the rest of this app.

Thin over services and selectors. Every query starts from the caller's tenant, so that a stranger's
things are not found. The reading part is sold through the gateway, too (tenants/callers.py).
"""

import uuid
from collections.abc import Mapping
from datetime import date, timedelta
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
from tenants.models import ApiKey, ApiKeyVersion, VersionStatus
from tenants.scopes import Scope

MOST_OVERLAP_SECONDS = int(services.MOST_OVERLAP.total_seconds())


class KeySerializer(serializers.Serializer[Any]):
    """A key, never its value. `old_…` is of the value that works on after a rotation."""

    id = serializers.UUIDField(source="uuid")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=VersionStatus.values)
    error = serializers.CharField(help_text="Why it failed; else empty.")
    last_four = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    last_used = serializers.DateField(allow_null=True, help_text="The last UTC day of use.")
    expires_at = serializers.DateTimeField(allow_null=True)
    old_last_four = serializers.CharField(allow_null=True)
    old_retires_at = serializers.DateTimeField(allow_null=True)


class NewKeySerializer(KeySerializer):
    """A key with its value: in this answer, and never again."""

    value = serializers.CharField(allow_null=True)


class KeyChangeSerializer(serializers.Serializer[Any]):
    """Without an `expires_at` the key does not expire."""

    name = serializers.CharField(max_length=60)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class KeyRotateSerializer(serializers.Serializer[Any]):
    """For how many seconds the old value works beside the new one; 24 hours by default."""

    overlap_seconds = serializers.IntegerField(
        required=False, min_value=0, max_value=MOST_OVERLAP_SECONDS, default=24 * 3600
    )


def _key(
    version: ApiKeyVersion, *, caller: Caller, last_used: Mapping[int, date], **extra: Any
) -> dict[str, Any]:
    """Return a key as it is answered. To a key, which may be in a public page, no mail address."""
    key = version.api_key
    maker = None if caller.is_key else key.created_by
    old = selectors.retiring_version(api_key=key)
    return {
        "uuid": key.uuid,
        "name": key.name,
        "status": version.status,
        "error": version.error,
        "last_four": version.last_four,
        "created_at": version.created_at,
        "created_by": maker.email if maker else None,
        "last_used": selectors.key_last_used(api_key=key, last_used=last_used),
        "expires_at": key.expires_at,
        "old_last_four": old.last_four if old else None,
        "old_retires_at": old.retires_at if old else None,
        **extra,
    }


def _key_read(key: ApiKey, caller: Caller) -> Response:
    last_used = selectors.last_used(tenant=key.tenant)
    newest = selectors.newest_version(api_key=key)
    return Response(KeySerializer(_key(newest, caller=caller, last_used=last_used)).data)


def _new_key(version: ApiKeyVersion, caller: Caller) -> Response:
    value = services.api_key_value_reveal(version=version, now=timezone.now())
    last_used = selectors.last_used(tenant=version.api_key.tenant)
    answer = _key(version, caller=caller, last_used=last_used, value=value)
    body = NewKeySerializer(answer).data
    return Response(body, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class KeysView(TenantView):
    scopes = {"GET": Scope.KEYS_READ, "POST": Scope.KEYS_WRITE}
    asks_again = {"POST"}

    @extend_schema(summary="List your keys", responses=KeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the keys that are not revoked, oldest first."""
        caller = self.caller(request)
        last_used = selectors.last_used(tenant=caller.tenant)
        rows = [
            _key(selectors.newest_version(api_key=key), caller=caller, last_used=last_used)
            for key in selectors.api_keys(tenant=caller.tenant)
        ]
        return Response(KeySerializer(rows, many=True).data)

    @extend_schema(
        summary="Create a key", request=KeyChangeSerializer, responses={201: NewKeySerializer}
    )
    def post(self, request: Request) -> Response:
        """Create a key. Its value is in this answer, and never again."""
        caller = self.caller(request)
        asked = KeyChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version = services.api_key_create(
            tenant=caller.tenant, actor=caller.user, now=timezone.now(), **asked.validated_data
        )
        return _new_key(version, caller)


class KeyView(TenantView):
    scopes = {"GET": Scope.KEYS_READ, "PUT": Scope.KEYS_WRITE}

    @extend_schema(summary="Read a key", responses=KeySerializer)
    def get(self, request: Request, key_id: uuid.UUID) -> Response:
        """Return a key, also one that is revoked; never its value."""
        caller = self.caller(request)
        return _key_read(get_object_or_404(ApiKey, tenant=caller.tenant, uuid=key_id), caller)

    @extend_schema(summary="Change a key", request=KeyChangeSerializer, responses=KeySerializer)
    def put(self, request: Request, key_id: uuid.UUID) -> Response:
        """Give a key another name, and say when it expires."""
        caller = self.caller(request)
        key = get_object_or_404(ApiKey, tenant=caller.tenant, uuid=key_id)
        asked = KeyChangeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.api_key_update(
            api_key=key, actor=caller.user, now=timezone.now(), **asked.validated_data
        )
        return _key_read(key, caller)


class KeyRotateView(TenantView):
    scopes = {"POST": Scope.KEYS_WRITE}
    asks_again = {"POST"}

    @extend_schema(
        summary="Rotate a key", request=KeyRotateSerializer, responses={201: NewKeySerializer}
    )
    def post(self, request: Request, key_id: uuid.UUID) -> Response:
        """Give a key a new value. The old one works on for a while; an older one stops at once."""
        caller = self.caller(request)
        key = get_object_or_404(ApiKey, tenant=caller.tenant, uuid=key_id)
        asked = KeyRotateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        version = services.api_key_rotate(
            api_key=key,
            overlap=timedelta(seconds=asked.validated_data["overlap_seconds"]),
            actor=caller.user,
            now=timezone.now(),
        )
        return _new_key(version, caller)


class KeyOverlapEndView(TenantView):
    scopes = {"POST": Scope.KEYS_WRITE}
    asks_again = {"POST"}

    @extend_schema(summary="End a key's old value", request=None, responses={204: None})
    def post(self, request: Request, key_id: uuid.UUID) -> Response:
        """Have the value that a rotation replaced stop at once; again changes nothing."""
        caller = self.caller(request)
        key = get_object_or_404(ApiKey, tenant=caller.tenant, uuid=key_id)
        services.api_key_overlap_end(api_key=key, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class KeyRevokeView(TenantView):
    scopes = {"POST": Scope.KEYS_WRITE}
    asks_again = {"POST"}

    @extend_schema(summary="Revoke a key", request=None, responses={204: None})
    def post(self, request: Request, key_id: uuid.UUID) -> Response:
        """Revoke a key for good; again changes nothing."""
        caller = self.caller(request)
        key = get_object_or_404(ApiKey, tenant=caller.tenant, uuid=key_id)
        services.api_key_revoke(api_key=key, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class KeyRetryView(TenantView):
    scopes = {"POST": Scope.KEYS_WRITE}

    @extend_schema(summary="Try a key again", request=None, responses=KeySerializer)
    def post(self, request: Request, key_id: uuid.UUID) -> Response:
        """Have the gateway asked again for a key that failed; of others nothing changes."""
        caller = self.caller(request)
        key = get_object_or_404(ApiKey, tenant=caller.tenant, uuid=key_id)
        services.api_key_retry(api_key=key, actor=caller.user, now=timezone.now())
        return _key_read(key, caller)


urlpatterns = [
    path("keys/", KeysView.as_view(), name="api-keys"),
    path("keys/<uuid:key_id>/", KeyView.as_view(), name="api-key"),
    path("keys/<uuid:key_id>/end-old/", KeyOverlapEndView.as_view(), name="api-key-overlap-end"),
    path("keys/<uuid:key_id>/retry/", KeyRetryView.as_view(), name="api-key-retry"),
    path("keys/<uuid:key_id>/rotate/", KeyRotateView.as_view(), name="api-key-rotate"),
    path("keys/<uuid:key_id>/revoke/", KeyRevokeView.as_view(), name="api-key-revoke"),
]

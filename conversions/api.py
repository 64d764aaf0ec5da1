"""The management API of this app: a tenant's uploads, searched as on the page.

The sold API lists uploads, too, without a search, and more about each (serverless/functions); what
both say of an upload, they say in the same words.
"""

from datetime import datetime
from typing import Any

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from conversions import selectors
from conversions.models import AppliesTo, Upload, UploadState
from tenants.callers import TenantView
from tenants.pagination import next_link
from tenants.scopes import Scope

USUAL, MOST = 50, 100  # uploads of a page


class UploadsQuerySerializer(serializers.Serializer[Any]):
    """`q` is a part of the file's name; `cursor` comes from the page before."""

    q = serializers.CharField(required=False, max_length=255)
    state = serializers.ChoiceField(required=False, choices=UploadState.values)
    file_type = serializers.ChoiceField(required=False, choices=AppliesTo.values)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST, default=USUAL)
    cursor = serializers.RegexField("^[0-9]{1,17}-[0-9]{1,18}$", required=False)


class UploadErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()


class UploadSerializer(serializers.Serializer[Any]):
    """An upload: what its file is, how many variants of it are expected, and made, and from when on
    it may go by itself; null for never.
    """

    id = serializers.UUIDField(source="uuid")
    state = serializers.ChoiceField(choices=UploadState.values)
    filename = serializers.CharField()
    created_at = serializers.DateTimeField()
    file_type = serializers.ChoiceField(choices=AppliesTo.values, allow_null=True)
    format = serializers.CharField(allow_null=True)
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    bytes = serializers.IntegerField(allow_null=True)
    public = serializers.BooleanField()
    expected = serializers.IntegerField()
    made = serializers.IntegerField()
    error = UploadErrorSerializer(allow_null=True)
    kept_until = serializers.DateTimeField(allow_null=True)


class UploadsPageSerializer(serializers.Serializer[Any]):
    """Uploads, newest first. `next_cursor` leads to older ones; null: there are none."""

    uploads = UploadSerializer(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class UploadsView(TenantView):
    scopes = {"GET": Scope.UPLOADS_READ}

    @extend_schema(
        summary="List and search your uploads",
        parameters=[UploadsQuerySerializer],
        responses=UploadsPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """List the uploads that are not deleted, newest first, a page at a time."""
        asked = UploadsQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        tenant = self.caller(request).tenant
        page = selectors.uploads_page(
            tenant=tenant,
            size=wanted["limit"],
            search=selectors.Search(
                text=wanted.get("q", ""),
                state=wanted.get("state", ""),
                kind=wanted.get("file_type", ""),
            ),
            before=selectors.Cursor.parse(wanted["cursor"]) if "cursor" in wanted else None,
        )
        kept_until = selectors.kept_until(tenant=tenant, uploads=page.uploads, now=timezone.now())
        body = {
            "uploads": [_upload(each, kept_until.get(each.pk)) for each in page.uploads],
            "next_cursor": str(page.older) if page.older else None,
        }
        older = {**request.query_params.dict(), "cursor": str(page.older)}
        headers = next_link(older) if page.older else {}
        return Response(UploadsPageSerializer(body).data, headers=headers)


def _upload(upload: Upload, kept_until: datetime | None) -> dict[str, Any]:
    """Say what is known of an upload: of its file, only what was found in it."""
    error = {"code": upload.error_code, "text": upload.get_error_code_display()}
    return {
        "uuid": upload.uuid,
        "state": upload.state,
        "filename": upload.filename,
        "created_at": upload.created_at,
        "file_type": upload.file_type if upload.format else None,
        "format": upload.format or None,
        "width": upload.width,
        "height": upload.height,
        "bytes": upload.bytes,
        "public": upload.public_id is not None,
        "expected": upload.variants_expected or 0,
        "made": len(selectors.current(upload.conversions.all())),
        "error": error if upload.error_code else None,
        "kept_until": kept_until,
    }


urlpatterns = [path("uploads/", UploadsView.as_view(), name="api-uploads")]

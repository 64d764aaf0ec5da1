"""The management API of uploads: to search them as on the page, and to add one.

The sold API lists uploads, too, without a search, and more about each (serverless/functions); what
both say of an upload, they say in the same words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from conversions import backend, selectors, services
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


class UploadAskedSerializer(serializers.Serializer[Any]):
    """The file that is to come, and its size in bytes."""

    filename = serializers.CharField(max_length=255)
    size = serializers.IntegerField(min_value=backend.SMALLEST, max_value=backend.LARGEST)
    content_type = serializers.CharField(max_length=100, default="application/octet-stream")


class FormSerializer(serializers.Serializer[Any]):
    """Post the file there as multipart/form-data, after the fields, as `file`."""

    url = serializers.URLField()
    fields = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]  # S3's word for them
    expires_in = serializers.IntegerField(help_text="Seconds.")


class NewUploadSerializer(serializers.Serializer[Any]):
    """An upload whose file is to come, with the form to post it with."""

    id = serializers.UUIDField(source="uuid")
    state = serializers.ChoiceField(choices=UploadState.values)
    form = FormSerializer()


class StorageAway(APIException):
    status_code, default_code = 503, "unavailable"
    default_detail = "The storage cannot be reached."


class UploadsView(TenantView):
    scopes = {"GET": Scope.UPLOADS_READ, "POST": Scope.UPLOADS_WRITE}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Look up where files go, as forms say, before a call begins its transaction
        (tenants/idempotency.py). Raise StorageAway.
        """
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            self.caller(request)
            with _storage():
                backend.outputs()

    @extend_schema(
        operation_id="uploads_list",
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
            "uploads": [upload_body(each, kept_until.get(each.pk)) for each in page.uploads],
            "next_cursor": str(page.older) if page.older else None,
        }
        older = {**request.query_params.dict(), "cursor": str(page.older)}
        headers = next_link(older) if page.older else {}
        return Response(UploadsPageSerializer(body).data, headers=headers)

    @extend_schema(
        summary="Upload a file",
        request=UploadAskedSerializer,
        responses={201: NewUploadSerializer},
    )
    def post(self, request: Request) -> Response:
        """Return a form: post the file there. Conversion starts when it arrives."""
        caller = self.caller(request)
        asked = UploadAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        with _storage():
            upload, form = services.upload_create(
                tenant=caller.tenant, actor=caller.user, now=timezone.now(), **asked.validated_data
            )
        body = {
            "uuid": upload.uuid,
            "state": upload.state,
            "form": {"url": form.url, "fields": form.fields, "expires_in": backend.LINK_SECONDS},
        }
        return Response(NewUploadSerializer(body).data, status=status.HTTP_201_CREATED)


@contextmanager
def _storage() -> Iterator[None]:
    """Raise StorageAway where S3's side fails."""
    try:
        yield
    except backend.BackendError as error:
        raise StorageAway from error


def upload_body(upload: Upload, kept_until: datetime | None) -> dict[str, Any]:
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

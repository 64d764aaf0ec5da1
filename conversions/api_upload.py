"""The management API of one upload: read, deleted, restored, tried again."""

import uuid

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from conversions import selectors, services
from conversions.api import UploadSerializer, upload_body
from conversions.models import Upload
from tenants.callers import Caller, TenantView
from tenants.scopes import Scope


class UploadView(TenantView):
    scopes = {"GET": Scope.UPLOADS_READ, "DELETE": Scope.UPLOADS_WRITE}

    @extend_schema(summary="Read an upload", responses=UploadSerializer)
    def get(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Return an upload."""
        return _answer(_found(self.caller(request), upload_id))

    @extend_schema(summary="Delete an upload", responses={204: None})
    def delete(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Delete an upload and its variants. For a minute it can be restored."""
        caller = self.caller(request)
        found = _found(caller, upload_id)
        services.upload_delete(upload=found, actor=caller.user, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class UploadRestoreView(TenantView):
    scopes = {"POST": Scope.UPLOADS_WRITE}

    @extend_schema(summary="Restore an upload", request=None, responses=UploadSerializer)
    def post(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Bring back what was deleted within the last minute; of others nothing changes."""
        caller = self.caller(request)
        mine = selectors.uploads_chosen(
            tenant=caller.tenant, upload_ids=[upload_id], even_deleted=True
        )
        if not mine:
            raise Http404
        services.upload_restore(upload=mine[0], actor=caller.user, now=timezone.now())
        return _answer(_found(caller, upload_id))


class UploadRetryView(TenantView):
    scopes = {"POST": Scope.UPLOADS_WRITE}

    @extend_schema(summary="Try an upload again", request=None, responses=UploadSerializer)
    def post(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Have the variants made that are missing, where it failed for a reason that may pass."""
        caller = self.caller(request)
        found = _found(caller, upload_id)
        services.upload_retry(upload=found, actor=caller.user, now=timezone.now())
        return _answer(_found(caller, upload_id))


def _found(caller: Caller, upload_id: uuid.UUID) -> Upload:
    """Return the caller's own upload; a stranger's does not exist."""
    found = selectors.upload(tenant=caller.tenant, upload_id=upload_id)
    if found is None:
        raise Http404
    return found


def _answer(upload: Upload) -> Response:
    kept_until = selectors.kept_until(tenant=upload.tenant, uploads=[upload], now=timezone.now())
    return Response(UploadSerializer(upload_body(upload, kept_until.get(upload.pk))).data)


_ONE = "uploads/<uuid:upload_id>/"
urlpatterns = [
    path(_ONE, UploadView.as_view(), name="api-upload"),
    path(f"{_ONE}restore/", UploadRestoreView.as_view(), name="api-upload-restore"),
    path(f"{_ONE}retry/", UploadRetryView.as_view(), name="api-upload-retry"),
]

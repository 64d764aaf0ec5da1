"""Uploads: the page, the form that a browser posts a file to S3 with, and the gallery."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversions import backend, selectors, services
from conversions.models import Conversion, ConversionState, Upload
from portal.views.access import TenantRequest, tenant_required
from tenants.errors import Refused
from tenants.models import Tenant
from tenants.permissions import Act, may

SHOWN = 50


@tenant_required
def uploads(request: TenantRequest) -> HttpResponse:
    """The page: where files are dropped, and what became of them."""
    context = {
        "nav": "uploads",
        "presets": selectors.presets(),
        "largest": backend.LARGEST,
        **_gallery(request.member.tenant),
    }
    return render(request, "conversions/uploads.html", context)


@tenant_required
def gallery(request: TenantRequest) -> HttpResponse:
    """What became of the uploads, for htmx; it asks again while something is unfinished."""
    return render(request, "conversions/gallery.html", _gallery(request.member.tenant))


def _gallery(tenant: Tenant) -> dict[str, Any]:
    rows = [_row(upload) for upload in selectors.uploads(tenant=tenant)[:SHOWN]]
    return {"uploads": rows, "unfinished": selectors.has_unfinished(tenant=tenant)}


def _row(upload: Upload) -> dict[str, Any]:
    made = [each for each in upload.conversions.all() if each.state == ConversionState.DONE]
    return {
        "uuid": upload.uuid,
        "filename": upload.filename,
        "state": upload.state,
        "state_label": upload.get_state_display(),
        "error": upload.error,
        "bytes": upload.bytes or upload.declared_size,
        "width": upload.width,
        "height": upload.height,
        "created_at": upload.created_at,
        "is_finished": upload.is_finished,
        "made": len(made),
        "expected": upload.variants_expected,
        "variants": [_variant(upload, each) for each in made],
    }


def _variant(upload: Upload, conversion: Conversion) -> dict[str, Any]:
    """Return one variant with links that are good for an hour. Signing asks nobody."""
    stem = upload.filename.rsplit(".", 1)[0]
    name = f"{stem}-{conversion.preset_code}.{conversion.format}"
    ascii_name = name.encode("ascii", "replace").decode().replace('"', "").replace("?", "_")
    return {
        "preset": conversion.preset_code,
        "format": conversion.format,
        "width": conversion.width,
        "height": conversion.height,
        "bytes": conversion.bytes,
        "url": backend.link(key=conversion.key),
        "download_url": backend.link(key=conversion.key, filename=ascii_name),
    }


@require_POST
@tenant_required
def upload_create(request: TenantRequest) -> HttpResponse:
    """Answer with the form to post a file to S3 with: {upload, url, fields}; or {error}."""
    if not may(request.member, Act.UPLOAD):
        return JsonResponse({"error": _("Your role may not upload.")}, status=403)
    content_type = request.POST.get("type") or "application/octet-stream"
    try:
        size = int(request.POST.get("size", ""))
    except ValueError:
        return JsonResponse({"error": _("The file's size is missing.")}, status=400)
    try:
        upload = services.upload_create(
            tenant=request.member.tenant,
            filename=request.POST.get("name", ""),
            size=size,
            content_type=content_type,
            actor=request.user,
            now=timezone.now(),
        )
        post = backend.upload_form(key=upload.source_key, content_type=content_type)
    except Refused as refusal:
        return JsonResponse({"error": str(refusal)}, status=400)
    except backend.BackendError:
        text = _("The storage cannot be reached now. Please try again.")
        return JsonResponse({"error": text}, status=503)
    return JsonResponse({"upload": str(upload.uuid), "url": post.url, "fields": post.fields})


@require_POST
@tenant_required
def upload_delete(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    upload = selectors.upload(tenant=request.member.tenant, upload_id=upload_id)
    if upload is None or not may(request.member, Act.UPLOAD):
        raise Http404
    services.upload_delete(upload=upload, actor=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” was deleted.") % {"name": upload.filename})
    return redirect("uploads")


urlpatterns = [
    path("uploads/", uploads, name="uploads"),
    path("uploads/gallery/", gallery, name="upload-gallery"),
    path("uploads/create/", upload_create, name="upload-create"),
    path("uploads/<uuid:upload_id>/delete/", upload_delete, name="upload-delete"),
]

"""Uploads: the page, the form that a browser posts a file to S3 with, and the gallery.

No page waits for S3. A picture's address is one of ours, which leads on to a link that S3 accepts
for an hour: so addresses stay the same while a page asks for news, browsers keep the pictures, and
a page that has been open for long still shows them.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from conversions import backend, selectors, services
from conversions.models import Conversion, ConversionState, Upload
from portal.views.access import TenantRequest, tenant_required
from tenants.errors import Refused
from tenants.permissions import Act, may

SHOWN = 50
LINK_KEPT_SECONDS = backend.LINK_SECONDS // 2  # by browsers: it must still be good when used
BUSY = timedelta(minutes=2)  # after the last news, the page asks less often


@require_safe
@tenant_required
def uploads(request: TenantRequest) -> HttpResponse:
    """The page: where files are dropped, and what became of them."""
    context = {
        "nav": "uploads",
        "presets": selectors.presets(),
        "largest": backend.LARGEST,
        **_gallery(request),
    }
    return render(request, "conversions/uploads.html", context)


@require_safe
@tenant_required
def gallery(request: TenantRequest) -> HttpResponse:
    """What became of the uploads, for htmx: all of it, where a new one has come."""
    return render(request, "conversions/gallery.html", _gallery(request))


@require_safe
@tenant_required
def upload(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """One upload of the gallery, for htmx: each asks for its own news until it is finished.

    One that was deleted meanwhile, in another window, is answered with nothing, which takes it off
    the page.
    """
    found = selectors.upload(tenant=request.member.tenant, upload_id=upload_id, even_deleted=True)
    if found is None:
        raise Http404
    if found.deleted_at is not None:
        return HttpResponse()
    return render(request, "conversions/upload.html", {"upload": _rows([found])[0]})


@require_safe
@tenant_required
def variant(request: TenantRequest, upload_id: uuid.UUID, conversion_id: int) -> HttpResponse:
    """Lead to a variant in S3, to be shown or, with `?download`, to be saved."""
    found = selectors.variant(
        tenant=request.member.tenant, upload_id=upload_id, conversion_id=conversion_id
    )
    if found is None:
        raise Http404
    filename = _download_name(found) if "download" in request.GET else ""
    try:
        response = redirect(backend.link(key=found.key, filename=filename))
    except backend.BackendError:
        return HttpResponse(_("The storage cannot be reached now. Please try again."), status=503)
    response["Cache-Control"] = f"private, max-age={LINK_KEPT_SECONDS}"
    return response


@require_POST
@tenant_required
def upload_create(request: TenantRequest) -> HttpResponse:
    """Answer with the form to post a file to S3 with: {url, fields, delete}; or {error}.

    `delete` is where the page takes the upload back if the file cannot be sent.
    """
    if not may(request.member, Act.UPLOAD):
        return JsonResponse({"error": _("Your role may not upload.")}, status=403)
    try:
        size = int(request.POST.get("size", ""))
    except ValueError:
        return JsonResponse({"error": _("The file's size is missing.")}, status=400)
    try:
        created, post = services.upload_create(
            tenant=request.member.tenant,
            filename=request.POST.get("name", ""),
            size=size,
            content_type=request.POST.get("type") or "application/octet-stream",
            actor=request.user,
            now=timezone.now(),
        )
    except Refused as refusal:
        return JsonResponse({"error": str(refusal)}, status=400)
    except backend.BackendError:
        text = _("The storage cannot be reached now. Please try again.")
        return JsonResponse({"error": text}, status=503)
    delete = reverse("upload-delete", args=[created.uuid])
    return JsonResponse({"url": post.url, "fields": post.fields, "delete": delete})


@require_POST
@tenant_required
def upload_retry(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Have a failed upload converted again."""
    found = _upload(request, upload_id)
    try:
        services.upload_retry(upload=found, actor=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("uploads")


@require_POST
@tenant_required
def upload_delete(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Delete an upload, and say so; with `silent`, as a script does it, without a word."""
    found = _upload(request, upload_id)
    services.upload_delete(upload=found, actor=request.user, now=timezone.now())
    if "silent" in request.POST:
        return HttpResponse(status=204)
    messages.success(request, _("“%(name)s” was deleted.") % {"name": found.filename})
    return redirect("uploads")


def _upload(request: TenantRequest, upload_id: uuid.UUID) -> Upload:
    """Return one of the tenant's uploads to somebody who may change it; to others it is a 404."""
    found = selectors.upload(tenant=request.member.tenant, upload_id=upload_id)
    if found is None or not may(request.member, Act.UPLOAD):
        raise Http404
    return found


def _gallery(request: TenantRequest) -> dict[str, Any]:
    newest = list(selectors.uploads(tenant=request.member.tenant)[: SHOWN + 1])
    return {
        "uploads": _rows(newest[:SHOWN]),
        "shown": SHOWN,
        "has_older": len(newest) > SHOWN,
    }


def _rows(uploads: list[Upload]) -> list[dict[str, Any]]:
    views, now = selectors.views(uploads=uploads), timezone.now()
    return [_row(each, views.get(each.pk, {}), now) for each in uploads]


def _row(upload: Upload, views: dict[str, int], now: datetime) -> dict[str, Any]:
    made = [each for each in upload.conversions.all() if each.state == ConversionState.DONE]
    is_busy = (upload.checked_at or now) > now - BUSY
    return {
        "uuid": upload.uuid,
        "filename": upload.filename,
        "state": upload.state,
        "state_label": upload.get_state_display(),
        "error": upload.get_error_code_display() if upload.error_code else "",
        "may_retry": upload.may_retry,
        "bytes": upload.bytes or upload.declared_size,
        "width": upload.width,
        "height": upload.height,
        "created_at": upload.created_at,
        "ask_again": "" if upload.is_finished else "1s" if is_busy else "15s",
        "expected": upload.variants_expected,
        "variants": [{"is": each, "views": views.get(each.preset_code, 0)} for each in made],
    }


def _download_name(conversion: Conversion) -> str:
    """Return a name to save a variant under, in what every browser takes in a header."""
    stem = conversion.upload.filename.rsplit(".", 1)[0]
    name = f"{stem}-{conversion.preset_code}.{conversion.format}"
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in name)


urlpatterns = [
    path("uploads/", uploads, name="uploads"),
    path("uploads/gallery/", gallery, name="upload-gallery"),
    path("uploads/create/", upload_create, name="upload-create"),
    path("uploads/<uuid:upload_id>/", upload, name="upload"),
    path("uploads/<uuid:upload_id>/variants/<int:conversion_id>/", variant, name="upload-variant"),
    path("uploads/<uuid:upload_id>/retry/", upload_retry, name="upload-retry"),
    path("uploads/<uuid:upload_id>/delete/", upload_delete, name="upload-delete"),
]

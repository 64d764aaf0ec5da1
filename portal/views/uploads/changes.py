"""Uploads change: a new one, another try, deleted, brought back.

Each answers a form with a redirect and a message, and a script, which asks for JSON, with
{said, undo?, error?}: `said` is for people, `undo` where to post the same to take it back.
"""

import uuid

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from conversions import backend, selectors, services
from conversions.models import Upload
from portal.views.access import TenantRequest, demand, tenant_required
from tenants.errors import Refused
from tenants.permissions import Act


@require_POST
@tenant_required
def upload_create(request: TenantRequest) -> HttpResponse:
    """Answer with the form to post a file to S3 with: {id, url, fields}; or {error}."""
    demand(request, Act.UPLOAD)
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
    return JsonResponse({"id": created.uuid, "url": post.url, "fields": post.fields})


@require_POST
@tenant_required
def upload_retry(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Have what is missing of a failed upload made again."""
    found = changeable(request, upload_id)
    try:
        services.upload_retry(upload=found, actor=request.user, now=timezone.now())
    except Refused as refusal:
        return _answer(request, error=str(refusal))
    return _answer(request, said=_("“%(name)s” is tried again.") % {"name": found.filename})


@require_POST
@tenant_required
def uploads_delete(request: TenantRequest) -> HttpResponse:
    """Delete those named `upload`; for a while it can be undone."""
    found = _chosen(request)
    for upload in found:
        services.upload_delete(upload=upload, actor=request.user, now=timezone.now())
    said = ngettext("%(count)s file was deleted.", "%(count)s files were deleted.", len(found))
    return _answer(
        request,
        said=said % {"count": len(found)},
        undo=reverse("uploads-restore"),
        query={"deleted": [str(upload.uuid) for upload in found]},
    )


@require_POST
@tenant_required
def uploads_restore(request: TenantRequest) -> HttpResponse:
    """Bring back those named `upload`, which were deleted a moment ago."""
    found = _chosen(request, even_deleted=True)
    try:
        for upload in found:
            services.upload_restore(upload=upload, actor=request.user, now=timezone.now())
    except Refused as refusal:
        return _answer(request, error=str(refusal))
    said = ngettext("%(count)s file is back.", "%(count)s files are back.", len(found))
    return _answer(request, said=said % {"count": len(found)})


def changeable(request: TenantRequest, upload_id: uuid.UUID) -> Upload:
    """Return one of the tenant's uploads to somebody who may change it; a stranger's is a 404."""
    demand(request, Act.UPLOAD)
    found = selectors.upload(tenant=request.member.tenant, upload_id=upload_id)
    if found is None:
        raise Http404
    return found


def _chosen(request: TenantRequest, *, even_deleted: bool = False) -> list[Upload]:
    """Return the uploads that a form names to somebody who may change them; a 404 without one."""
    demand(request, Act.UPLOAD)
    try:
        asked = {uuid.UUID(text) for text in request.POST.getlist("upload")}
    except ValueError as error:
        raise Http404 from error
    found = selectors.uploads_chosen(
        tenant=request.member.tenant, upload_ids=asked, even_deleted=even_deleted
    )
    if not asked or len(found) != len(asked):
        raise Http404
    return found


def _answer(
    request: TenantRequest,
    *,
    said: str = "",
    error: str = "",
    undo: str = "",
    query: dict[str, list[str]] | None = None,
) -> HttpResponse:
    if not request.accepts("text/html"):
        if error:
            return JsonResponse({"error": error}, status=409)
        return JsonResponse({"said": said, "undo": undo})
    if error:
        messages.error(request, error)
    elif not query:
        messages.success(request, said)
    address = reverse("uploads")
    return redirect(f"{address}?{urlencode(query, doseq=True)}" if query else address)

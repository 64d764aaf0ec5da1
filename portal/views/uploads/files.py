"""From our addresses to the files in S3: by a redirect to one, or as an archive of many."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from conversions import backend, selectors
from conversions.archive import Entry, safe
from conversions.archive import archive as archive_of
from conversions.models import Conversion, Upload
from conversions.selectors import Cursor, Search
from portal.views.access import TenantRequest, tenant_required
from portal.views.uploads.page import search_of
from portal.views.uploads.rows import SHOWN_BY_BROWSERS
from portal.views.uploads.slots import Sent, Slots
from tenants.errors import Refused
from tenants.models import Tenant

LINK_KEPT_SECONDS = backend.LINK_SECONDS // 2  # by browsers: it must still be good when used
MOST_FILES = 1000  # of an archive: at 20 MB each, what is downloaded in one go at all
BATCH = 200  # uploads that are read at once
SLOTS = Slots()


@require_safe
@tenant_required
def variant(request: TenantRequest, upload_id: uuid.UUID, conversion_id: int) -> HttpResponse:
    """Lead to a variant in S3, to be shown or, with `?download`, to be saved."""
    found = selectors.variant(
        tenant=request.member.tenant, upload_id=upload_id, conversion_id=conversion_id
    )
    if found is None:
        raise Http404
    return _lead(found.key, filename=variant_name(found) if "download" in request.GET else "")


@require_safe
@tenant_required
def source(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Lead to the original: to be shown where browsers can, and for certain as what it is.

    One that has not come, as far as is known, is not there.
    """
    found = selectors.upload(tenant=request.member.tenant, upload_id=upload_id)
    if found is None or found.bytes is None:
        raise Http404
    media_type = SHOWN_BY_BROWSERS.get(found.format, "")
    if "download" in request.GET or not media_type:
        return _lead(found.source_key, filename=safe(found.filename))
    return _lead(found.source_key, content_type=media_type)


@require_http_methods(["GET", "POST"])
@tenant_required
def archive(request: TenantRequest) -> HttpResponseBase:
    """All variants of those named `upload`, or of all that a search finds, in one ZIP.

    With `originals`, these too. A form that deletes what is chosen can post the same here.
    """
    asked = request.POST if request.method == "POST" else request.GET
    try:
        chosen = {uuid.UUID(text) for text in asked.getlist("upload")}
    except ValueError as error:
        raise Http404 from error
    try:
        found = _found(request, chosen)
        entries, name = _entries(found, with_originals="originals" in asked)
        if not SLOTS.take(request.member.tenant_id):
            raise Refused(_("Other archives are being downloaded. Try again in a minute."))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(f"{reverse('uploads')}?{request.GET.urlencode()}")
    response = StreamingHttpResponse(
        Sent(archive_of(entries), SLOTS, request.member.tenant_id), content_type="application/zip"
    )
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["Cache-Control"] = "private, no-store"
    return response


def variant_name(conversion: Conversion) -> str:
    """Return a name to save a variant under. Needs `upload`."""
    stem = conversion.upload.filename.rsplit(".", 1)[0]
    return safe(f"{stem}-{conversion.preset_code}.{conversion.format}")


def _lead(key: str, *, filename: str = "", content_type: str = "") -> HttpResponse:
    make = partial(backend.link, key=key, filename=filename, content_type=content_type)
    return lead(make, {"Cache-Control": f"private, max-age={LINK_KEPT_SECONDS}"})


def lead(make: Callable[[], Any], headers: Mapping[str, str]) -> HttpResponse:
    """Redirect with these headers to the link that `make` makes, or say that none can be made."""
    try:
        link = make()
    except backend.BackendError:
        return HttpResponse(_("The storage cannot be reached now. Please try again."), status=503)
    response = redirect(link)
    for name, value in headers.items():
        response[name] = value
    return response


def _found(request: TenantRequest, chosen: set[uuid.UUID]) -> Iterator[Upload]:
    """Return those that are chosen, all of them the tenant's, or what the address searches for."""
    tenant = request.member.tenant
    if not chosen:
        return _all_found(tenant, search_of(request))
    found = selectors.uploads_chosen(tenant=tenant, upload_ids=chosen)
    if len(found) != len(chosen):
        raise Http404
    return iter(found)


def _all_found(tenant: Tenant, search: Search) -> Iterator[Upload]:
    """Read what a search finds, in batches."""
    before: Cursor | None = None
    while True:
        page = selectors.uploads_page(tenant=tenant, size=BATCH, search=search, before=before)
        yield from page.uploads
        if page.older is None:
            return
        before = page.older


def _entries(found: Iterator[Upload], *, with_originals: bool) -> tuple[list[Entry], str]:
    """Return what goes into an archive, and its name. Raise Refused for too much, or nothing."""
    entries: list[Entry] = []
    uploads: list[Upload] = []
    for upload in found:
        uploads.append(upload)
        if with_originals and upload.bytes:
            entries.append(Entry(upload.source_key, upload.filename))
        entries += [
            Entry(each.key, variant_name(each))
            for each in selectors.current(upload.conversions.all())
        ]
        if max(len(entries), len(uploads)) > MOST_FILES:
            raise Refused(
                _("An archive holds at most %(most)d files. Choose fewer, or search for some.")
                % {"most": MOST_FILES}
            )
    if not entries:
        raise Refused(_("There is nothing to download yet."))
    if len(uploads) == 1:
        return entries, safe(uploads[0].filename.rsplit(".", 1)[0] + ".zip")
    return entries, f"uploads-{timezone.localdate().isoformat()}.zip"

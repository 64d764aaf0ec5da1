"""The page: where files are dropped, what became of them, and news of that.

A page asks for all its news in one request: it names what it shows unfinished, each with the
version of what it shows, and gets back what differs, and what is newer than its newest.
"""

import uuid
from typing import Any

from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from conversions import backend, samples, selectors
from conversions.models import AppliesTo, UploadState
from conversions.selectors import Cursor, Search
from conversions.services import UNDO_FOR
from portal.views.access import TenantRequest, tenant_required
from portal.views.uploads.rows import rows, savings
from tenants.stages import api_base_url

SHOWN = 50
TEXT_LONGEST = 255  # as long as a file's name


@require_safe
@tenant_required
def uploads(request: TenantRequest) -> HttpResponse:
    """The page; `?q=`, `?state=` and `?kind=` search, `?before=` and `?after=` turn pages."""
    search = search_of(request)
    try:
        before, after = (_cursor(request, name) for name in ("before", "after"))
    except ValueError:
        return HttpResponseBadRequest()
    page = selectors.uploads_page(
        tenant=request.member.tenant, size=SHOWN, search=search, before=before, after=after
    )
    shown = rows(page.uploads)
    context = {
        "nav": "uploads",
        "presets": selectors.presets(),
        "largest": backend.LARGEST,
        "search": search,
        "states": UploadState.choices,
        "kinds": AppliesTo.choices,
        "rows": shown,
        "shown": SHOWN,
        "savings": savings(shown),
        "page": page,
        "is_newest": before is None and after is None,
        "restorable": _restorable(request),
        "operation": None if shown or search else _first_step(),
    }
    return render(request, "conversions/uploads.html", context)


@require_safe
@tenant_required
def news(request: TenantRequest) -> HttpResponse:
    """What is not as the page shows it: `?known=<upload>.<version>,…`, and newer than `?after=`.

    What was deleted meanwhile, in another window, comes as an empty article.
    """
    try:
        known = _known(request)
        after = _cursor(request, "after")
    except ValueError:
        return HttpResponseBadRequest()
    tenant = request.member.tenant
    found = list(selectors.uploads(tenant=tenant).filter(uuid__in=list(known)))
    gone = known.keys() - {upload.uuid for upload in found}
    if after is not None:
        newer = selectors.uploads_page(
            tenant=tenant, size=SHOWN, search=search_of(request), after=after
        )
        found += [upload for upload in newer.uploads if upload.uuid not in known]
    changed = [row for row in rows(found) if known.get(row.upload.uuid) != row.version]
    return render(request, "conversions/news.html", {"rows": changed, "gone": gone})


def search_of(request: TenantRequest) -> Search:
    """Return what the address searches for; what is no state or kind searches for nothing."""
    asked = request.GET
    state, kind = asked.get("state", ""), asked.get("kind", "")
    return Search(
        text=asked.get("q", "").strip().replace("\0", "")[:TEXT_LONGEST],
        state=state if state in UploadState.values else "",
        kind=kind if kind in AppliesTo.values else "",
    )


def _cursor(request: TenantRequest, name: str) -> Cursor | None:
    """Return a place in the list. Raise ValueError where the address holds none."""
    text = request.GET.get(name, "")
    return Cursor.parse(text) if text else None


def _known(request: TenantRequest) -> dict[uuid.UUID, str]:
    """Return what the page shows of each upload. Raise ValueError where the address is wrong."""
    pairs = [pair.partition(".") for pair in request.GET.get("known", "").split(",") if pair]
    return {uuid.UUID(name): version for name, _dot, version in pairs[:SHOWN]}


def _restorable(request: TenantRequest) -> list[uuid.UUID]:
    """Return which of the uploads that were just deleted, by the address, can come back."""
    try:
        asked = [uuid.UUID(text) for text in request.GET.getlist("deleted")[:SHOWN]]
    except ValueError:
        return []
    return selectors.uploads_deleted(
        tenant=request.member.tenant, upload_ids=asked, since=timezone.now() - UNDO_FOR
    )


def _first_step() -> dict[str, Any]:
    """Return how the API makes an upload, in every language, for a page that has none yet."""
    texts = [
        samples.sample("createUpload", language, base_url=api_base_url())
        for language in samples.LANGUAGES
    ]
    return {"id": "createUpload", "method": "post", "path": "/v1/uploads", "samples": texts}

"""Links for people who have no account here: signed ones, which end, and public ones.

Both lead on to a link that S3 accepts for an hour at most. A public one's is kept for half of that,
so that it stays the same, and browsers and caches keep the file. Search engines are asked to stay
away.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from conversions import backend, selectors, services
from conversions.links import Link
from conversions.models import Upload
from portal.views.access import TenantRequest, tenant_required
from portal.views.uploads.changes import changeable
from portal.views.uploads.files import LINK_KEPT_SECONDS, lead
from portal.views.uploads.snippets import Snippets, snippets

PUBLIC_KEPT_SECONDS = 60  # by caches: this long a public address outlives its end there
LIFETIMES = {
    "hour": gettext_lazy("1 hour"),
    "day": gettext_lazy("1 day"),
    "week": gettext_lazy("7 days"),
    "month": gettext_lazy("30 days"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def links(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Show the public addresses, if any, and by POST make links that end after `lifetime`."""
    upload = changeable(request, upload_id)
    if request.method != "POST":
        return _render(request, upload)
    chosen = request.POST.get("lifetime", "")
    if chosen not in services.LIFETIMES:
        raise Http404
    now = timezone.now()
    lifetime = services.LIFETIMES[chosen]
    made = services.links_create(upload=upload, lifetime=lifetime, actor=request.user, now=now)
    addresses = {
        pk: settings.SITE_URL + reverse("signed-link", args=[link.sign()])
        for pk, link in made.items()
    }
    return _render(request, upload, signed=snippets(upload, addresses), lifetime=chosen)


@require_POST
@tenant_required
def public_set(request: TenantRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Publish the variants with `on`, else end that."""
    upload = changeable(request, upload_id)
    services.upload_publish(
        upload=upload, is_public="on" in request.POST, actor=request.user, now=timezone.now()
    )
    return _render(request, changeable(request, upload_id))


@require_safe
def signed(request: HttpRequest, token: str) -> HttpResponse:
    """Lead whoever has a signed link to its variant; a link that is over is a 410."""
    link = Link.read(token)
    found = selectors.variant_linked(link=link) if link else None
    if link is None or found is None:
        raise Http404
    left = link.until - timezone.now()
    if left <= timedelta():
        response = render(request, "410.html", status=410)
        response["X-Robots-Tag"] = "noindex"
        return response
    seconds = min(ceil(left.total_seconds()), backend.LINK_SECONDS)
    make = partial(backend.link, key=found.key, seconds=seconds)
    return _lead(make, f"private, max-age={min(seconds, LINK_KEPT_SECONDS)}")


@require_safe
def public(_request: HttpRequest, public_id: uuid.UUID, preset_code: str) -> HttpResponse:
    """Lead anybody to the newest variant that a preset made of a public upload."""
    found = selectors.variant_public(public_id=public_id, preset_code=preset_code)
    if found is None:
        raise Http404
    fresh = partial(backend.link, key=found.key, max_age=LINK_KEPT_SECONDS)
    make = partial(cache.get_or_set, f"variant-link:{found.key}", fresh, LINK_KEPT_SECONDS)
    return _lead(make, f"public, max-age={PUBLIC_KEPT_SECONDS}")


def _lead(make: Callable[[], Any], cache_control: str) -> HttpResponse:
    return lead(make, {"Cache-Control": cache_control, "X-Robots-Tag": "noindex"})


def _render(
    request: TenantRequest,
    upload: Upload,
    *,
    signed: Snippets | None = None,
    lifetime: str = "week",
) -> HttpResponse:
    """The page; for a script only what goes into its dialog."""
    public_addresses = {
        each.pk: settings.SITE_URL
        + reverse("public-link", args=[upload.public_id, each.preset_code])
        for each in selectors.current(upload.conversions.all())
        if upload.public_id is not None
    }
    context = {
        "nav": "uploads",
        "upload": upload,
        "lifetimes": LIFETIMES.items(),
        "lifetime": lifetime,
        "lifetime_label": LIFETIMES[lifetime],
        "signed": signed,
        "public": snippets(upload, public_addresses),
    }
    template = "conversions/links.html" if request.htmx else "conversions/links_page.html"  # type: ignore[attr-defined]  # django-htmx sets it
    return render(request, template, context)

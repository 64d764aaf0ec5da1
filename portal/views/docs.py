"""References with a way to try them: the sold API's, and the management API's.

Swagger UI draws both from their OpenAPI documents, in our own styles. A key's value is never ours
to fill in: after it was shown once nobody derives it again. So the page lists the tenant's keys,
and the browser alone knows the values that its user has seen or pasted.
"""

import hashlib
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe

from conversions import reference, samples
from portal.views.access import member_of
from tenants import selectors
from tenants.problems import PROBLEMS
from tenants.scopes import Scope
from tenants.stages import api_base_url

KEPT_SECONDS = 300  # how long browsers use a document without asking again


def _servers() -> list[dict[str, str]]:
    """Return where the sold API is, for its document; nowhere before the first deployment."""
    base_url = api_base_url()
    return [{"url": base_url}] if base_url else []


def _etag(_request: HttpRequest) -> str:
    content = f"{_servers()} {reference.DOCUMENT.stat().st_mtime_ns}"
    return f'"{hashlib.sha256(content.encode()).hexdigest()[:16]}"'


@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
@condition(etag_func=_etag)
def document(_request: HttpRequest) -> HttpResponse:
    """The sold API's OpenAPI document, with the address to call."""
    return JsonResponse({**reference.document(), "servers": _servers()})


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The sold API's reference."""
    base_url = api_base_url()
    context = {
        "nav": "docs",
        "base_url": base_url,
        "operations": _operations(base_url),
        "keys": _keys(request),
    }
    response = render(request, "portal/docs.html", context)
    if base_url:
        # From this page alone, scripts may call the gateway.
        gateway = urlsplit(base_url)
        response._csp_update = {"connect-src": [f"{gateway.scheme}://{gateway.netloc}"]}  # type: ignore[attr-defined]  # django-csp reads it
    return response


@require_safe
def management_docs(request: HttpRequest) -> HttpResponse:
    """The management API's reference, for the session that looks at it."""
    problems = [(code, *of) for code, of in PROBLEMS.items()]
    context = {"nav": "docs", "problems": problems, "scopes": list(Scope)}
    return render(request, "portal/api_docs.html", context)


def _operations(base_url: str) -> list[dict[str, Any]]:
    """Return each operation of the sold API with its samples, by tag, as Swagger UI shows them."""
    drawn = reference.document()
    tags = [tag["name"] for tag in drawn["tags"]]
    found = []
    for address, verbs in drawn["paths"].items():
        for verb, operation in verbs.items():
            name = operation["operationId"]
            texts = [samples.sample(name, each, base_url=base_url) for each in samples.LANGUAGES]
            found.append(
                {
                    "id": name,
                    "method": verb,
                    "path": address,
                    "tag": operation["tags"][0],
                    "summary": operation["summary"],
                    "description": operation["description"],
                    "samples": texts,
                }
            )
    return sorted(found, key=lambda each: tags.index(each["tag"]))


def _keys(request: HttpRequest) -> list[dict[str, str]]:
    """Return what a signed-in visitor may know of their tenant's keys: never a value."""
    member = member_of(request)
    if member is None:
        return []
    rows = []
    for key in selectors.api_keys(tenant=member.tenant):
        version = selectors.newest_version(api_key=key)
        rows.append(
            {
                "name": key.name,
                "last_four": version.last_four,
                "state_label": version.get_status_display(),
            }
        )
    return rows


urlpatterns = [
    path("docs/", docs, name="docs"),
    path("docs/openapi.json", document, name="docs-openapi"),
    path("api/docs/", management_docs, name="api-docs"),
]

"""API keys: list, create, rotate, revoke. A new value is shown once, on the page that follows.

Between the POST and that page the value is nowhere: the page derives it, and notes that it did.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.forms import ApiKeyForm
from portal.views.access import TenantRequest, demand, tenant_required
from tenants import selectors, services
from tenants.errors import Refused
from tenants.models import ApiKey, ApiKeyVersion, Tenant
from tenants.permissions import Act, may


def _rows(tenant: Tenant) -> list[dict[str, Any]]:
    last_used = selectors.last_used(tenant=tenant)
    rows = []
    for key in selectors.api_keys(tenant=tenant):
        version = selectors.newest_version(api_key=key)
        rows.append(
            {
                "id": key.uuid,
                "name": key.name,
                "state": version.status,
                "state_label": version.get_status_display(),
                "last_four": version.last_four,
                "created_at": version.created_at,
                "created_by": key.created_by,
                "last_used": last_used.get(key.pk),
                "error": version.error,
                "versions": key.versions.all(),
            }
        )
    return rows


def value_to_show(request: TenantRequest) -> tuple[ApiKeyVersion | None, str | None]:
    """Return the version whose value is to be shown on this page, and the value: this once.

    Only to a member who may handle keys, lest somebody else's visit uses the one time up.
    """
    if not may(request.member, Act.CHANGE_KEYS) or request.method != "GET":
        return None, None
    version = selectors.version_unrevealed(tenant=request.member.tenant)
    if version is None:
        return None, None
    return version, services.api_key_value_reveal(version=version, now=timezone.now())


def _page(request: TenantRequest, form: ApiKeyForm, *, status: int = 200) -> HttpResponse:
    version, value = value_to_show(request)
    rows = _rows(request.member.tenant)
    most = request.member.tenant.usage_plan.most_keys
    context = {
        "nav": "keys",
        "keys": rows,
        "most_keys": most,
        "is_full": len(rows) >= most,
        "form": form,
        "new_value": value,
        "new_name": version.api_key.name if version else None,
    }
    return render(request, "portal/keys.html", context, status=status)


def _key_or_404(request: TenantRequest, key_id: uuid.UUID) -> ApiKey:
    """Return the tenant's own key to somebody who may change it; a stranger's does not exist."""
    demand(request, Act.CHANGE_KEYS)
    return get_object_or_404(ApiKey, tenant=request.member.tenant, uuid=key_id)


@require_safe
@tenant_required
def keys(request: TenantRequest) -> HttpResponse:
    return _page(request, ApiKeyForm())


@require_POST
@tenant_required
def key_create(request: TenantRequest) -> HttpResponse:
    demand(request, Act.CHANGE_KEYS)
    form = ApiKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    try:
        services.api_key_create(
            tenant=request.member.tenant,
            name=form.cleaned_data["name"],
            actor=request.user,
            now=timezone.now(),
        )
    except Refused as refusal:
        form.add_error("name", str(refusal))
        return _page(request, form, status=400)
    return redirect("keys")


@require_POST
@tenant_required
def key_rotate(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    try:
        services.api_key_rotate(api_key=key, actor=request.user, now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("keys")


@require_POST
@tenant_required
def key_revoke(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    services.api_key_revoke(api_key=key, actor=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” was revoked.") % {"name": key.name})
    return redirect("keys")


urlpatterns = [
    path("keys/", keys, name="keys"),
    path("keys/create/", key_create, name="key-create"),
    path("keys/<uuid:key_id>/rotate/", key_rotate, name="key-rotate"),
    path("keys/<uuid:key_id>/revoke/", key_revoke, name="key-revoke"),
]

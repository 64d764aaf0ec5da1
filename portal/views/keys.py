"""API keys: list, create, change, rotate, revoke. A new value is shown once, on the next page.

Between the POST and that page the value is nowhere: the page derives it, and notes that it did.
"""

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.forms_keys import ApiKeyForm, KeyRotateForm
from portal.views.access import TenantRequest, demand, refusals_told, tenant_required
from tenants import selectors, services
from tenants.errors import Refused
from tenants.expiry import last_day
from tenants.models import ApiKey, ApiKeyVersion, Tenant
from tenants.permissions import Act, may
from tenants.recent import demand_recently_authenticated


def _rows(tenant: Tenant, now: datetime) -> list[dict[str, Any]]:
    last_used = selectors.last_used(tenant=tenant)
    rows = []
    for key in selectors.api_keys(tenant=tenant):
        newest = selectors.newest_version(api_key=key)
        old = selectors.retiring_version(api_key=key)
        until = last_day(key.expires_at) if key.expires_at else None
        rows.append(
            {
                "id": key.uuid,
                "name": key.name,
                "state": newest.status,
                "state_label": newest.get_status_display(),
                "last_four": newest.last_four,
                "created_at": newest.created_at,
                "created_by": key.created_by,
                "last_used": selectors.key_last_used(api_key=key, last_used=last_used),
                "last_day": until,
                "error": newest.error,
                "old": old,
                "old_last_used": last_used.get(old.pk) if old else None,
                "edit_form": ApiKeyForm(
                    auto_id=f"edit-{key.uuid}-%s", initial={"name": key.name, "last_day": until}
                ),
                "rotate_form": KeyRotateForm(auto_id=f"rotate-{key.uuid}-%s", now=now),
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
    rows = _rows(request.member.tenant, timezone.now())
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


def _tell_errors(request: TenantRequest, form: Form) -> None:
    """Tell on the page that follows what a dialog's form was wrong about."""
    for errors in form.errors.get_json_data().values():
        for error in errors:
            messages.error(request, error["message"])


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
    demand_recently_authenticated(request)
    try:
        services.api_key_create(
            tenant=request.member.tenant,
            name=form.cleaned_data["name"],
            expires_at=form.cleaned_data["expires_at"],
            actor=request.user,
            now=timezone.now(),
        )
    except Refused as refusal:
        form.add_error("name", str(refusal))
        return _page(request, form, status=400)
    return redirect("keys")


@require_POST
@tenant_required
def key_edit(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    form = ApiKeyForm(request.POST)
    if form.is_valid():
        asked = form.cleaned_data
        # A moment within the day, as the API takes it, stays unless the day is another.
        until = last_day(key.expires_at) if key.expires_at else None
        with refusals_told(request):
            services.api_key_update(
                api_key=key,
                name=asked["name"],
                expires_at=key.expires_at if asked["last_day"] == until else asked["expires_at"],
                actor=request.user,
                now=timezone.now(),
            )
    else:
        _tell_errors(request, form)
    return redirect("keys")


@require_POST
@tenant_required
def key_rotate(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    now = timezone.now()
    form = KeyRotateForm(request.POST, now=now)
    if form.is_valid():
        demand_recently_authenticated(request)
        with refusals_told(request):
            services.api_key_rotate(
                api_key=key, overlap=form.cleaned_data["overlap"], actor=request.user, now=now
            )
    else:
        _tell_errors(request, form)
    return redirect("keys")


@require_POST
@tenant_required
def key_overlap_end(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    demand_recently_authenticated(request)
    with refusals_told(request):
        services.api_key_overlap_end(api_key=key, actor=request.user, now=timezone.now())
    return redirect("keys")


@require_POST
@tenant_required
def key_retry(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    with refusals_told(request):
        services.api_key_retry(api_key=key, actor=request.user, now=timezone.now())
    return redirect("keys")


@require_POST
@tenant_required
def key_revoke(request: TenantRequest, key_id: uuid.UUID) -> HttpResponse:
    key = _key_or_404(request, key_id)
    demand_recently_authenticated(request)
    services.api_key_revoke(api_key=key, actor=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” was revoked.") % {"name": key.name})
    return redirect("keys")


urlpatterns = [
    path("keys/", keys, name="keys"),
    path("keys/create/", key_create, name="key-create"),
    path("keys/<uuid:key_id>/edit/", key_edit, name="key-edit"),
    path("keys/<uuid:key_id>/rotate/", key_rotate, name="key-rotate"),
    path("keys/<uuid:key_id>/end-old/", key_overlap_end, name="key-overlap-end"),
    path("keys/<uuid:key_id>/retry/", key_retry, name="key-retry"),
    path("keys/<uuid:key_id>/revoke/", key_revoke, name="key-revoke"),
]

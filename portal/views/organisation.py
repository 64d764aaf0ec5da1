"""The organisation: its members, its settings, and which one of several a user works for."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.forms import TenantSettingsForm
from portal.views.access import SESSION_KEY, TenantRequest, tenant_required
from tenants import selectors, services
from tenants.permissions import Act, may


@tenant_required
def team(request: TenantRequest) -> HttpResponse:
    members = request.member.tenant.members.select_related("user")
    return render(request, "portal/team.html", {"nav": "team", "members": members})


@tenant_required
def settings_page(request: TenantRequest) -> HttpResponse:
    tenant = request.member.tenant
    may_change = may(request.member, Act.CHANGE_SETTINGS)
    form = TenantSettingsForm(request.POST or None, instance=tenant)
    if request.method == "POST" and may_change and form.is_valid():
        services.tenant_update(
            tenant=tenant,
            name=form.cleaned_data["name"],
            language=form.cleaned_data["language"],
            actor=request.user,
            now=timezone.now(),
        )
        messages.success(request, _("Saved."))
        return redirect("settings")
    tenant.refresh_from_db()
    is_bad = request.method == "POST"
    context = {"nav": "settings", "form": form}
    return render(request, "portal/settings.html", context, status=400 if is_bad else 200)


@require_POST
def tenant_switch(request: HttpRequest) -> HttpResponse:
    """Work for another of one's organisations; a stranger's does not exist."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    try:
        asked = uuid.UUID(request.POST.get("tenant", ""))
    except ValueError as error:
        raise Http404 from error
    mine = selectors.memberships(user=request.user)
    chosen = get_object_or_404(mine, tenant__uuid=asked)
    request.session[SESSION_KEY] = str(chosen.tenant.uuid)
    return redirect("dashboard")


urlpatterns = [
    path("team/", team, name="team"),
    path("settings/", settings_page, name="settings"),
    path("tenants/switch/", tenant_switch, name="tenant-switch"),
]

"""The organisation: its settings, and which one of several a user works for."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.forms import TenantSettingsForm
from portal.views.access import TenantRequest, choose_named, demand, tenant_required
from tenants import services
from tenants.permissions import Act

# Where the chosen one has something to be done.
LEADS_TO = ("team", "leaving", "alert-settings", "billing", "billing-plan")


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def settings_page(request: TenantRequest) -> HttpResponse:
    is_sent = request.method == "POST"
    if is_sent:
        demand(request, Act.CHANGE_SETTINGS)
    tenant = request.member.tenant
    form = TenantSettingsForm(request.POST or None, instance=tenant)
    if is_sent and form.is_valid():
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
    context = {"nav": "settings", "form": form}
    return render(request, "portal/settings.html", context, status=400 if is_sent else 200)


@require_POST
def tenant_switch(request: HttpRequest) -> HttpResponse:
    """Work for another of one's organisations; a stranger's does not exist."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    choose_named(request, request.user, request.POST.get("tenant", ""))
    to = request.POST.get("to")
    return redirect(to if to in LEADS_TO else "dashboard")


urlpatterns = [
    path("settings/", settings_page, name="settings"),
    path("tenants/switch/", tenant_switch, name="tenant-switch"),
]

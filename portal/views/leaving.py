"""An owner has the organisation deleted, and may keep it until the grace is over."""

from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

import billing.selectors
from portal.forms_leaving import LeavingForm
from portal.views.access import TenantRequest, demand, refusals_told, tenant_required
from tenants import selectors, services
from tenants.models import TenantState
from tenants.permissions import Act
from tenants.recent import demand_recently_authenticated


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_required
def leaving(request: TenantRequest) -> HttpResponse:
    """Say what goes and what stays; with the organisation's name typed, have it deleted."""
    demand(request, Act.CLOSE)
    tenant, now = request.member.tenant, timezone.now()
    is_sent = request.method == "POST"
    if is_sent:
        demand_recently_authenticated(request)
    if tenant.state != TenantState.ACTIVE:
        return redirect("settings")  # its banner says when
    form = LeavingForm(request.POST or None, tenant=tenant)
    if is_sent and form.is_valid():
        with refusals_told(request):
            services.tenant_leave(tenant=tenant, actor=request.user, now=now)
        return redirect("settings")
    accounts = selectors.users_of_no_other(tenant=tenant).order_by("email")
    context = {
        "nav": "settings",
        "form": form,
        "grace_days": settings.DELETION_GRACE_DAYS,
        "closes_at": now + timedelta(days=settings.DELETION_GRACE_DAYS),
        "accounts": ", ".join(user.email for user in accounts),
        "owed": billing.selectors.invoices_owed(tenant=tenant),
    }
    return render(request, "portal/leaving.html", context, status=400 if is_sent else 200)


@require_POST
@tenant_required
def keep(request: TenantRequest) -> HttpResponse:
    demand(request, Act.CLOSE)
    with refusals_told(request):
        services.tenant_keep(tenant=request.member.tenant, actor=request.user, now=timezone.now())
        messages.success(request, _("The organisation is kept. Its keys work again."))
    return redirect("dashboard")


urlpatterns = [
    path("settings/delete/", leaving, name="leaving"),
    path("settings/keep/", keep, name="leaving-keep"),
]

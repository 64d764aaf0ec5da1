"""Somebody deletes their own account. It is a person's page, also without an organisation."""

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.forms_leaving import AccountDeleteForm
from portal.views.access import SignedInRequest
from tenants import selectors, services
from tenants.errors import Refused
from tenants.recent import demand_recently_authenticated


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account_delete(request: SignedInRequest) -> HttpResponse:
    """Say what goes and what stays, or what is to be done first; with the address typed, do it."""
    user, is_sent = request.user, request.method == "POST"
    form = AccountDeleteForm(request.POST or None, address=user.email)
    if is_sent and form.is_valid():
        demand_recently_authenticated(request)
        try:
            services.account_delete(user=user, now=timezone.now())
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("account-delete")
        logout(request)
        messages.success(request, _("Your account is deleted. A mail confirms it."))
        return redirect("home")
    context = {
        "nav": "settings",
        "form": form,
        "owned_alone": selectors.tenants_owned_alone(user=user),
        "organisations": [each.tenant.name for each in selectors.memberships(user=user)],
    }
    return render(request, "portal/account_delete.html", context, status=400 if is_sent else 200)


urlpatterns = [path("settings/security/delete/", account_delete, name="account-delete")]

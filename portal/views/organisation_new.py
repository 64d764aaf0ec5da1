"""Somebody who is signed in starts an organisation: one more, or their first after they left one.

It is a person's page, whichever organisation they have chosen, also one that keeps them out for
want of a second factor. By approval it asks for the organisation, and says that the request waits.
"""

from typing import Any

from allauth.decorators import rate_limit
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

import billing.selectors
import billing.services
from billing.models import SignUpState
from billing.services import OwnsFree, SignUp
from portal import sign_up_modes
from portal.accounts import plan_asked
from portal.forms import OrganisationForm, organisation_start_or_ask
from portal.views.access import SignedInRequest, choose
from tenants.errors import Refused
from tenants.models import User

PAGE = "portal/organisation_new.html"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@rate_limit(action="signup")  # type: ignore[untyped-decorator]  # allauth has no types
def organisation_new(request: SignedInRequest) -> HttpResponse:
    """Show the form, or what stands in its way; with POST, start it and work for it."""
    user = request.user
    try:
        sign_up_modes.start_check(user)
    except Refused as refusal:
        return render(request, PAGE, {"may_not": str(refusal)}, status=403)
    if request.method != "POST":
        form = OrganisationForm(initial=plan_asked(request.GET))
        return render(request, PAGE, _obstacle(user) or {"form": form})
    form, obstacle = OrganisationForm(request.POST), {}
    if form.is_valid():
        try:
            return _on(request, organisation_start_or_ask(user, form.cleaned_data))
        except OwnsFree as refusal:
            obstacle = {"owns_free": refusal}
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return render(request, PAGE, {"form": form, **obstacle}, status=400)


def _obstacle(user: User) -> dict[str, Any]:
    """Return what keeps somebody from the form for now: a request that waits, or a free tenant."""
    if sign_up_modes.takes_approval():
        asked = billing.selectors.sign_up_request_of(user=user)
        return {"asked": asked} if asked and asked.state == SignUpState.WAITING else {}
    try:
        billing.services.organisation_start_check(user=user)
    except OwnsFree as refusal:
        return {"owns_free": refusal}
    return {}


def _on(request: SignedInRequest, made: SignUp | None) -> HttpResponse:
    """Go on to what was started, at its checkout or dashboard, or to the request that waits."""
    if made is None:
        messages.success(request, _("Your request is sent."))
        return redirect("organisation-new")
    choose(request, made.tenant)
    if made.order is not None:
        return redirect("billing-checkout", order_uuid=made.order.uuid)
    return redirect("dashboard")


urlpatterns = [path("tenants/new/", organisation_new, name="organisation-new")]

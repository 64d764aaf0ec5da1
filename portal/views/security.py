"""How somebody's own account is kept: password, second factors, passkeys, and where they are.

It is a person's page, whichever organisation they have chosen, and also without one. The factors
themselves are added and removed on allauth's pages, which lead back here.
"""

from typing import Any

from allauth.account.views import EmailView, PasswordSetView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import view_recovery_codes
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import RedirectView

from portal.accounts import is_unverified
from portal.browsers import browser_in_words
from portal.views.access import TenantRequest, demand, refusals_told, tenant_required
from tenants import services
from tenants.permissions import Act
from tenants.recent import demand_recently_authenticated


@require_safe
@login_required
def security(request: HttpRequest) -> HttpResponse:
    context = {
        "nav": "settings",
        **_factors(request),
        "is_unverified": is_unverified(request.user),
        "connections": SocialAccount.objects.filter(user_id=request.user.pk),
        "sessions": _sessions(request),
    }
    return render(request, "portal/security.html", context)


def _factors(request: HttpRequest) -> dict[str, Any]:
    """Return the authenticator app, the recovery codes left, and the passkeys."""
    mine = Authenticator.objects.filter(user_id=request.user.pk).order_by("created_at", "pk")
    one = {each.type: each for each in mine}
    codes = one.get(Authenticator.Type.RECOVERY_CODES)
    left = codes.wrap().get_unused_codes() if codes else []
    return {
        "app": one.get(Authenticator.Type.TOTP),
        "codes_left": len(left),
        "codes_unseen": codes is not None and not codes.wrap().did_view,
        "has_codes": codes is not None,
        "passkeys": [each for each in mine if each.type == Authenticator.Type.WEBAUTHN],
    }


def _sessions(request: HttpRequest) -> list[dict[str, Any]]:
    """Return where they are signed in, this session first, then the one seen last."""
    found = UserSession.objects.purge_and_list(request.user)
    found.sort(key=lambda each: (each.is_current(), each.last_seen_at), reverse=True)
    return [{"session": each, "browser": browser_in_words(each.user_agent)} for each in found]


@require_POST
@login_required
def sessions_end(request: HttpRequest) -> HttpResponse:
    """Sign out of the session that the form names, or everywhere else; of this one nobody is.

    There, the next page asks to sign in. To end one again, or a stranger's, changes nothing.
    """
    others = UserSession.objects.filter(user_id=request.user.pk)
    others = others.exclude(session_key=request.session.session_key)
    chosen, text = request.POST.get("session"), _("You are signed out everywhere else.")
    if chosen is not None:
        others = (
            others.filter(pk=int(chosen))
            if chosen.isdecimal() and len(chosen) < 18
            else others.none()
        )
        text = _("That session has ended.")
    for each in others:
        each.end()
    messages.success(request, text)
    return redirect("security")


@require_POST
@tenant_required
def factor_require(request: TenantRequest) -> HttpResponse:
    """Require a second factor of everybody in the organisation, or no more."""
    demand(request, Act.REQUIRE_FACTOR)
    demand_recently_authenticated(request)
    is_required = request.POST.get("required") == "yes"
    with refusals_told(request):
        services.second_factor_require(
            tenant=request.member.tenant,
            is_required=is_required,
            actor=request.user,
            now=timezone.now(),
        )
        text = _("Everybody needs a second factor from now on.")
        messages.success(request, text if is_required else _("Nobody needs a second factor now."))
    return redirect("security")


class AddressesView(EmailView):
    """allauth's page of one's addresses; whoever changes them confirms here who they are.

    Whoever reads the mail of an account's address may set its password anew.
    """

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "action_send" not in request.POST:
            demand_recently_authenticated(request)
        answer: HttpResponse = super().post(request, *args, **kwargs)
        return answer


class PasswordView(PasswordSetView):
    """allauth's page for a first password, which from then on is what one confirms with."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        demand_recently_authenticated(request)
        answer: HttpResponse = super().post(request, *args, **kwargs)
        return answer


urlpatterns = [
    path("settings/security/", security, name="security"),
    path("settings/security/sessions/end/", sessions_end, name="sessions-end"),
    path("settings/security/required/", factor_require, name="factor-require"),
    path("accounts/email/", AddressesView.as_view(), name="account_email"),
    path("accounts/password/set/", PasswordView.as_view(), name="account_set_password"),
    path(
        "accounts/2fa/recovery-codes/",
        never_cache(view_recovery_codes),
        name="mfa_view_recovery_codes",
    ),
    # allauth's lists of the same lead here.
    path("accounts/2fa/", RedirectView.as_view(pattern_name="security"), name="mfa_index"),
    path(
        "accounts/2fa/webauthn/",
        RedirectView.as_view(pattern_name="security"),
        name="mfa_list_webauthn",
    ),
    path(
        "accounts/sessions/",
        RedirectView.as_view(pattern_name="security"),
        name="usersessions_list",
    ),
]

"""Sign in with the OpenID provider that the operator configured: whose account it is, and pages.

What a provider says of an address is believed where OIDC_TRUSTS_ADDRESSES says so: many let people
type any. Otherwise the address of a new account is confirmed by mail as any other's, and whoever
has an account connects it on the Security page, signed in. Where it is believed, it signs in to an
account that has confirmed the same address itself, and to no other: somebody else may have made
that one, and wait for its owner.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

import requests
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.forms import DisconnectForm
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.openid_connect import views
from allauth.socialaccount.views import SignupView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import Resolver404, path, resolve, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from portal.accounts import plan_asked
from portal.views.invitations import join_by
from tenants import selectors
from tenants.errors import Refused
from tenants.models import Invitation
from tenants.recent import demand_recently_authenticated
from tenants.selectors import Standing

PLAN_ASKED = "plan_asked"  # in the session, while somebody is at the provider
P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class OpenIDAdapter(DefaultSocialAccountAdapter):
    """What allauth leaves to the project about accounts elsewhere."""

    def authenticate_by_email(self, sociallogin: SocialLogin) -> Any:
        """Say whose account an unknown subject's address is, once it is settled what is believed.

        `email_verified` has to be true: some providers send the text "false".
        """
        for address in sociallogin.email_addresses:
            address.verified = address.verified is True and settings.OIDC_TRUSTS_ADDRESSES
        return super().authenticate_by_email(sociallogin)

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        is_ours = EmailAddress.objects.filter(email=email.lower(), verified=True).exists()
        return settings.OIDC_TRUSTS_ADDRESSES and is_ours

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        is_open: bool = super().is_open_for_signup(request, sociallogin)
        return is_open or _invitation_of(sociallogin) is not None

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Ask nobody for an organisation whom one has invited."""
        return _invitation_of(sociallogin) is not None

    def get_signup_form_initial_data(self, sociallogin: SocialLogin) -> dict[str, Any]:
        asked: dict[str, str] = self.request.session.get(PLAN_ASKED, {})
        return {**super().get_signup_form_initial_data(sociallogin), **asked}

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> Any:
        sociallogin.user.language = getattr(request, "LANGUAGE_CODE", "en")
        if form is not None:
            return super().save_user(request, sociallogin, form)
        invitation = _invitation_of(sociallogin)
        try:
            with transaction.atomic():
                user = super().save_user(request, sociallogin)
                if invitation is not None:
                    join_by(request, invitation, user)
        except (Refused, IntegrityError):  # it has ended since, or another click was first
            raise ImmediateHttpResponse(redirect(sociallogin.state["next"])) from None
        sociallogin.state["next"] = reverse("dashboard")
        return user


def _invitation_of(sociallogin: SocialLogin) -> Invitation | None:
    """Return the open invitation whose link somebody came from, if it is for their address.

    Whoever has the link reads the address's mail, whatever the provider says.
    """
    try:
        match = resolve(urlsplit(sociallogin.state.get("next") or "").path)
    except Resolver404:
        return None
    if match.url_name != "invitation":
        return None
    found = selectors.invitation_by_token(token=match.kwargs["invitation_token"])
    if found is None or found.email.lower() != sociallogin.user.email.lower():
        return None
    is_open = selectors.standing(invitation=found, now=timezone.now()) is Standing.OPEN
    return found if is_open else None


def _failures_told(view: View[P]) -> View[P]:
    """Answer with a page where the provider is away, or does not speak OpenID Connect."""

    @wraps(view)
    def told(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except (requests.RequestException, KeyError) as error:
            provider = get_adapter().get_provider(request, settings.OIDC_PROVIDER_ID)
            page: HttpResponse = render_authentication_error(request, provider, exception=error)
            return page

    return told


def login(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Send somebody to the provider, and keep for which plan they come."""
    request.session[PLAN_ASKED] = plan_asked(request.POST)
    answer: HttpResponseBase = views.login(request, provider_id)
    return answer


class OpenIDSignUpView(SignupView):
    """The rest of a sign-up. Of two clicks at once the later one is sent to sign in."""

    def form_valid(self, form: Any) -> Any:
        try:
            return super().form_valid(form)
        except IntegrityError:
            return redirect("account_login")


@require_POST
@login_required
def connection_remove(request: HttpRequest) -> HttpResponse:
    """Remove a connection of theirs, where a password is left to sign in with."""
    demand_recently_authenticated(request)
    form = DisconnectForm(request.POST, request=request)
    if form.is_valid():
        form.save()
    for errors in form.errors.values():
        messages.error(request, errors[0])
    return redirect("security")


urlpatterns = [
    path(
        "accounts/oidc/<str:provider_id>/login/",
        _failures_told(login),
        name="openid_connect_login",
    ),
    path(
        "accounts/oidc/<str:provider_id>/login/callback/",
        _failures_told(views.callback),
        name="openid_connect_callback",
    ),
    path("accounts/3rdparty/signup/", OpenIDSignUpView.as_view(), name="socialaccount_signup"),
    # allauth's list of connections leads to ours.
    path(
        "accounts/3rdparty/",
        RedirectView.as_view(pattern_name="security"),
        name="socialaccount_connections",
    ),
    path("settings/security/connection/remove/", connection_remove, name="connection-remove"),
]

"""The page that an invitation's link leads to: accept it, with an account or a new one, or decline.

Whoever has the link reads the address's mail: accepting proves the address, and the page may say
what it is about, and whether the address has an account.
"""

from allauth.account.utils import complete_signup
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts import prove_address, reads_mail_of
from portal.forms import InvitedSignupForm
from portal.views.access import choose
from tenants import selectors, services
from tenants.errors import Refused
from tenants.models import Invitation, User
from tenants.selectors import Standing


@require_safe
def invitation(request: HttpRequest, invitation_token: str) -> HttpResponse:
    return _page(request, _invitation_or_404(invitation_token), invitation_token)


@require_POST
def accept(request: HttpRequest, invitation_token: str) -> HttpResponse:
    """Join with the account that is signed in, where the invitation is for its address."""
    found = _invitation_or_404(invitation_token)
    user = request.user
    if not isinstance(user, User) or not reads_mail_of(user, found.email):
        # The page says who can accept it.
        return redirect("invitation", invitation_token=invitation_token)
    try:
        join_by(request, found, user)
    except Refused:
        return redirect("invitation", invitation_token=invitation_token)
    return redirect("dashboard")


@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, invitation_token: str) -> HttpResponseBase:
    """Join with a new account, which has no organisation of its own."""
    found = _invitation_or_404(invitation_token)
    standing = selectors.standing(invitation=found, now=timezone.now())
    if request.user.is_authenticated or standing is not Standing.OPEN:
        return redirect("invitation", invitation_token=invitation_token)
    form = InvitedSignupForm(request.POST or None, email=found.email)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                user = form.save(request)
                join_by(request, found, user)
        except (Refused, IntegrityError):  # the address has an account since, by another click
            return redirect("invitation", invitation_token=invitation_token)
        answer: HttpResponseBase = complete_signup(
            request, user=user, email_verification=None, success_url=reverse("dashboard")
        )
        return answer
    context = {"form": form, "invitation": found, "token": invitation_token}
    return render(request, "portal/invitation_join.html", context)


@require_POST
def decline(request: HttpRequest, invitation_token: str) -> HttpResponse:
    services.invitation_decline(invitation=_invitation_or_404(invitation_token), now=timezone.now())
    return redirect("invitation", invitation_token=invitation_token)


def join_by(request: HttpRequest, found: Invitation, user: User) -> None:
    """Accept an invitation for a user who came by its link, and choose its tenant.

    Raise Refused where it does not stand any more.
    """
    with transaction.atomic():
        member = services.invitation_accept(invitation=found, user=user, now=timezone.now())
        prove_address(user, found.email)
    choose(request, member.tenant)
    messages.success(request, _("You have joined %(name)s.") % {"name": member.tenant.name})


def _invitation_or_404(token: str) -> Invitation:
    found = selectors.invitation_by_token(token=token)
    if found is None:
        raise Http404
    return found


def _page(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    standing = selectors.standing(invitation=found, now=timezone.now())
    user = request.user
    context = {
        "invitation": found,
        "standing": standing,
        "token": token,
        "is_mine": isinstance(user, User) and reads_mail_of(user, found.email),
    }
    status = 200 if standing is Standing.OPEN else 410
    return render(request, "portal/invitation.html", context, status=status)


urlpatterns = [
    path("invitations/<str:invitation_token>/", invitation, name="invitation"),
    path("invitations/<str:invitation_token>/accept/", accept, name="invitation-accept"),
    path("invitations/<str:invitation_token>/join/", join, name="invitation-join"),
    path("invitations/<str:invitation_token>/decline/", decline, name="invitation-decline"),
]

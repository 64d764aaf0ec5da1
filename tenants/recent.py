"""Who showed lately, in this session, who they are: by signing in, or by confirming it since.

What is dangerous asks for that. allauth asks again, for a password or a second factor, and notes
in the session what was confirmed; that somebody signed in is no confirmation to it. Here it is
one (`AccountAdapter` tells allauth so), lest people are asked twice in a row. How long ago is too
long, ACCOUNT_REAUTHENTICATION_TIMEOUT says. Who has nothing to confirm with, neither a password nor
a factor, signs in again by whatever they signed in by.

When somebody signed in, the row says that lists the session for them: signing in gives a session
another key, and with it another row. So does changing the password, which asks for the old one.
"""

from datetime import timedelta

from allauth.account import app_settings
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.reauthentication import (
    STATE_SESSION_KEY,
    get_reauthentication_flows,
)
from allauth.core.exceptions import ReauthenticationRequired
from allauth.usersessions.models import UserSession
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _


class SignInAgain(PermissionDenied):
    """Somebody signed in too long ago, and has nothing else to confirm with who they are."""


def signed_in_lately(request: HttpRequest) -> bool:
    """Say whether this session began lately, by signing in."""
    lately = timezone.now() - timedelta(seconds=app_settings.REAUTHENTICATION_TIMEOUT)
    this = UserSession.objects.filter(session_key=request.session.session_key)
    return bool(this.filter(user_id=request.user.pk, created_at__gt=lately).exists())


def is_to_confirm(request: HttpRequest) -> bool:
    """Say whether it is too long ago. Raise SignInAgain where there is nothing to confirm with."""
    if signed_in_lately(request):
        return False
    if not get_reauthentication_flows(request.user):
        raise SignInAgain(_("You signed in too long ago for this. Sign out, and in again."))
    return True


@reauthentication_required  # type: ignore[untyped-decorator]  # allauth has no types
def demand_recently_authenticated(_request: HttpRequest) -> None:
    """Raise allauth's ReauthenticationRequired, or SignInAgain, where it is too long ago.

    On a page allauth's middleware then asks, and makes the same request again; the management API
    answers with a problem (tenants/problems.py).
    """


def confirm_first(request: HttpRequest, *, then: str) -> HttpResponseRedirect:
    """Have its sender confirm who they are, which leads to an address instead of going on."""
    suspended_forget(request)
    asked = urlencode({REDIRECT_FIELD_NAME: then})
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{asked}")


def is_recently_authenticated(request: HttpRequest) -> bool:
    """Say whether what is dangerous may go on without asking."""
    try:
        demand_recently_authenticated(request)
    except (ReauthenticationRequired, SignInAgain):
        return False
    return True


def suspended_forget(request: HttpRequest) -> None:
    """Forget a request that waits for its sender to confirm who they are.

    It was meant for the tenant that the session had chosen then, which it does not name.
    """
    request.session.pop(STATE_SESSION_KEY, None)

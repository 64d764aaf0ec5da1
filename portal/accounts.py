"""How django-allauth works here: where people land, and which language they keep."""

from collections.abc import Mapping
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.views import SignupView
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError
from django.http import HttpRequest
from django.urls import reverse

from portal import sign_up_modes
from tenants.models import User
from tenants.recent import is_to_confirm

_CODE = 40  # characters of a plan's, at most


class AccountAdapter(DefaultAccountAdapter):
    """Everything about accounts that allauth leaves to the project."""

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        """Return where a new owner goes: to checkout for a paid plan, else to the dashboard."""
        checkout_url: str | None = getattr(request, "checkout_url", None)
        return checkout_url or reverse("dashboard")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Ask nobody to confirm who they are who has just signed in.

        allauth would let pass whoever has nothing to confirm with.
        """
        asks: bool = super().is_reauthentication_required(app=app, **kwargs)
        return asks and is_to_confirm(self.request)

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return not sign_up_modes.is_closed()

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail with what the foot of each of ours says."""
        foot = {"issuer": settings.ISSUER_NAME, "site_url": settings.SITE_URL}
        super().send_mail(template_prefix, email, {**context, **foot})

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user.language = getattr(request, "LANGUAGE_CODE", "en")
        return super().save_user(request, user, form, commit)


def reads_mail_of(user: User, email: str) -> bool:
    """Say whether an address is the user's: the one they sign in with, or another, verified."""
    mine = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True)
    return user.email.lower() == email.lower() or mine.exists()


def is_unverified(user: User | AnonymousUser) -> bool:
    """Say whether an address of theirs waits to be confirmed: allauth adds no factor till then."""
    return bool(EmailAddress.objects.filter(user_id=user.pk, verified=False).exists())


def prove_address(user: User, email: str) -> None:
    """Take an address of the user's for verified: they had a secret that was mailed there."""
    address, _is_new = EmailAddress.objects.get_or_create(
        user=user, email=email.lower(), defaults={"primary": user.email.lower() == email.lower()}
    )
    address.set_verified()


def plan_asked(data: Mapping[str, str]) -> dict[str, str]:
    """Return what an address, or a form, says of which plan somebody comes for.

    Anybody may send it, and a session keeps it: not more than a code can be long.
    """
    return {name: data[name][:_CODE] for name in ("plan", "currency") if name in data}


class SignUpView(SignupView):
    """allauth's sign-up, with the plan and the currency that the price list's link asks for."""

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), **plan_asked(self.request.GET)}

    def form_valid(self, form: Any) -> Any:
        """Sign up. Whoever loses to another with the same address, mostly to a click of their own,
        is told what they would have been told a moment later."""
        try:
            return super().form_valid(form)
        except IntegrityError:
            form.full_clean()
            return super().form_valid(form) if form.is_valid() else self.form_invalid(form)

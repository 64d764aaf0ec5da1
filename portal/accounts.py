"""How django-allauth works here: where people land, and which language they keep."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.views import SignupView
from django.http import HttpRequest
from django.urls import reverse


class AccountAdapter(DefaultAccountAdapter):
    """Everything about accounts that allauth leaves to the project."""

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        """Return where a new owner goes: to checkout for a paid plan, else to the dashboard."""
        checkout_url: str | None = getattr(request, "checkout_url", None)
        return checkout_url or reverse("dashboard")

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        user.language = getattr(request, "LANGUAGE_CODE", "en")
        return super().save_user(request, user, form, commit)


class SignUpView(SignupView):
    """allauth's sign-up, with the plan and the currency that the price list's link asks for."""

    def get_initial(self) -> dict[str, Any]:
        asked = {
            name: self.request.GET[name]
            for name in ("plan", "currency")
            if name in self.request.GET
        }
        return {**super().get_initial(), **asked}

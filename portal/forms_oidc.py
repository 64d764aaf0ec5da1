"""What somebody is still asked who signs up with an OpenID provider."""

from typing import Any

from allauth.socialaccount.forms import SignupForm
from django.db import transaction
from django.http import HttpRequest

from portal.forms import OrganisationFields, organization_start
from tenants.models import User


class OpenIDSignupForm(OrganisationFields, SignupForm):
    """Their organisation and its plan. The address is the provider's, where it gave one."""

    field_order = ["organization", "email", "plan", "currency"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].disabled = bool(self.initial.get("email"))

    def save(self, request: HttpRequest) -> User:
        with transaction.atomic():
            user: User = super().save(request)
            organization_start(request, user, self.cleaned_data)
        return user

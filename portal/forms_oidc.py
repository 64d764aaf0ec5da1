"""What somebody is still asked who signs up with an OpenID provider."""

from typing import Any

from allauth.socialaccount.forms import SignupForm

from portal.forms import NewcomersForm


class OpenIDSignupForm(NewcomersForm, SignupForm):
    """Their organisation and its plan. The address is the provider's, where it gave one."""

    field_order = ["organization", "email", "plan", "currency"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].disabled = bool(self.initial.get("email"))

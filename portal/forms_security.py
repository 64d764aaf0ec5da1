"""The form that adds a passkey."""

from typing import Any

from allauth.mfa.webauthn.forms import AddWebAuthnForm
from django.utils.translation import gettext_lazy as _


class PasskeyForm(AddWebAuthnForm):
    """allauth's, in our words. The browser makes the key before the form is sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name, alone = self.fields["name"], self.fields["passwordless"]
        name.label = _("Name")
        name.widget.attrs = {"maxlength": 60, "autocomplete": "off"}
        name.help_text = _("By which you know it again, for example: phone.")
        alone.label = _("Sign in with it alone, without the password")
        alone.initial = True
        alone.help_text = _(
            "Then it asks for your fingerprint, your face or its PIN each time. Leave this out for"
            " a security key that has none of them."
        )

"""The forms by which an organisation, or one's own account, is deleted."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant
from tenants.names import tidied


class LeavingForm(forms.Form):
    """The organisation's name, typed: nobody deletes by mistake what they can name."""

    name = forms.CharField(
        label=_("The organisation's name, to confirm"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._tenant = tenant

    def clean_name(self) -> str:
        name = tidied(self.cleaned_data["name"])
        if name != self._tenant.name:
            raise ValidationError(_("That is not the name of this organisation."))
        return name


class AccountDeleteForm(forms.Form):
    """One's address, typed, for the same reason."""

    email = forms.CharField(
        label=_("Your email address, to confirm"),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, address: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = address

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email.lower() != self._address.lower():
            raise ValidationError(
                _("That is not the address of this account, %(email)s."),
                params={"email": self._address},
            )
        return email

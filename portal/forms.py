"""Forms of the website."""

from collections.abc import Mapping, Sequence
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

import billing.selectors
import billing.services
from billing.models import TaxDetails
from billing.services import SignUp
from billing.tax_numbers import countries, tax_id_checked
from portal import sign_up_modes
from portal.forms_days import DaysForm
from tenants.errors import Refused
from tenants.models import SOLD, ApiKey, Meter, Role, Tenant, User
from tenants.names import tidied


class OrganisationForm(forms.Form):
    """An organisation to start, and its plan."""

    organization = forms.CharField(
        label=_("Organisation"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    plan = forms.ChoiceField(label=_("Plan"))
    currency = forms.ChoiceField(label=_("Currency"), required=False, initial="USD")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plans, currencies = billing.selectors.plan_choices(), billing.selectors.currency_choices()
        self.fields["plan"].choices = plans  # type: ignore[attr-defined]  # of any field
        self.fields["currency"].choices = currencies  # type: ignore[attr-defined]  # likewise

    def clean_organization(self) -> str:
        name = tidied(self.cleaned_data["organization"])
        if not name:
            raise ValidationError(_("Give your organisation a name."))
        return name

    def clean_currency(self) -> str:
        return self.cleaned_data["currency"] or "USD"

    def clean(self) -> dict[str, Any] | None:
        """Ask for a plan that is sold in the currency, if both are good by themselves."""
        cleaned = super().clean()
        plan, currency = self.cleaned_data.get("plan"), self.cleaned_data.get("currency")
        if plan and currency:
            sold = billing.selectors.plans_on_sale(currency=currency)
            if plan not in {each.code for each, _price in sold}:
                text = _("This plan has no price in “%(currency)s”.") % {"currency": currency}
                self.add_error("currency", text)
        return cleaned


def organisation_start_or_ask(user: User, asked: Mapping[str, Any]) -> SignUp | None:
    """Start a user's organisation. None where it takes approval: all that there is is a request.

    `asked` is what an OrganisationForm cleaned. Raise Refused as the services do.
    """
    wanted = {
        "user": user,
        "organization": asked["organization"],
        "plan_code": asked["plan"],
        "currency": asked["currency"],
        "now": timezone.now(),
    }
    if sign_up_modes.takes_approval():
        billing.services.sign_up_request_create(**wanted)
        return None
    return billing.services.organisation_start(**wanted)


class NewcomersForm(OrganisationForm):
    """What a sign-up of allauth's asks for beside the account, whose form this stands before.

    All of it is written in one transaction. Where the plan costs money, the account adapter then
    redirects to checkout.
    """

    def clean_email(self) -> str:
        if not sign_up_modes.may_sign_up(self.cleaned_data["email"]):
            text = _("Sign up with an address at %(domains)s, or ask a team there to invite you.")
            raise ValidationError(text, params={"domains": ", ".join(sign_up_modes.domains())})
        email: str = super().clean_email()  # type: ignore[misc]  # of allauth's form beside this
        return email

    def save(self, request: HttpRequest) -> User:
        with transaction.atomic():
            user: User = super().save(request)  # type: ignore[misc]  # likewise
            made = organisation_start_or_ask(user, self.cleaned_data)
        if made is not None and made.order is not None:
            address = reverse("billing-checkout", args=[made.order.uuid])
            request.checkout_url = address  # type: ignore[attr-defined]
        return user


class SignupForm(NewcomersForm, AllauthSignupForm):
    """Sign up with a password."""

    field_order = ["organization", "email", "password1", "password2", "plan", "currency"]


class InvitedSignupForm(AllauthSignupForm):
    """Sign up by an invitation: its address is settled, and there is an organisation already."""

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].initial, self.fields["email"].disabled = email, True

    def validate_unique_email(self, value: str) -> str:
        """Say that an address has an account, which others are not told: it is the reader's."""
        email: str = super().validate_unique_email(value)
        if self.account_already_exists:
            raise get_adapter().validation_error("email_taken")
        return email


class InvitationForm(forms.Form):
    """Whom to invite, and as what: one of `roles`."""

    email = forms.EmailField(
        label=_("Email address"), widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label=_("Role"), initial=Role.DEVELOPER)

    def __init__(self, *args: Any, roles: Sequence[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, capfirst(role.label)) for role in roles]  # type: ignore[attr-defined]  # of any field


class UsageRangeForm(DaysForm):
    """What to show: which meter's usage, on which days (UTC, both included), and of which key."""

    meter = forms.ChoiceField(
        label=_("Usage of"), choices=[(each.value, capfirst(each.label)) for each in SOLD]
    )
    key = forms.ModelChoiceField(
        label=_("Key"),
        queryset=ApiKey.objects.none(),
        to_field_name="uuid",
        required=False,
        empty_label=_("All keys"),
    )
    field_order = ["meter", "start", "end", "key"]
    MOST_DAYS = 400

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keys = ApiKey.objects.filter(tenant=tenant)
        self.fields["key"].queryset = keys  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        start, end = data.get("start"), data.get("end")
        if start and end and (end - start).days >= self.MOST_DAYS:  # both included
            self.add_error("end", _("Choose at most 400 days."))
        if data.get("key") and data.get("meter") == Meter.CONVERSIONS:
            self.add_error("key", _("Conversions are counted for all keys together."))
        return data


class TenantSettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The organisation's own settings."""

    class Meta:
        model = Tenant
        fields = ["name", "language"]
        widgets = {"language": forms.Select(choices=settings.LANGUAGES)}


class TaxDetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    """What invoices say of the organisation."""

    country = forms.ChoiceField(label=_("Country"))

    class Meta:
        model = TaxDetails
        fields = ["legal_name", "address", "country", "tax_id", "email", "reference"]
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}
        help_texts = {
            "tax_id": _("In the EU the VAT number, for a business; in Japan T and 13 digits."),
            "email": _("Printed on invoices; empty: the owner's."),
            "reference": _("Printed on every invoice, for example an order number of yours."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].choices = [("", "—"), *countries()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("country"):
            try:
                number = data.get("tax_id", "")
                data["tax_id"] = tax_id_checked(country=data["country"], number=number)
            except Refused as refusal:
                self.add_error("tax_id", str(refusal))
        return data

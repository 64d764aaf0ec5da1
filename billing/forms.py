"""The operator's forms for what is sold: a plan with a new price, and the prices of a pack."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from billing import selectors, services
from billing.models import Currency, Overage, PackPrice, Plan
from billing.models.catalog import SMALLEST_CHARGE, is_too_small
from billing.money import display
from billing.tiers import Tier
from tenants.models import Meter, User

OPEN_END = "*"


def chargeable_check(form: forms.ModelForm, *names: str, currency: str | None) -> None:  # type: ignore[type-arg]
    """Add an error to each of these amounts that is above zero and too small for a card."""
    for name in names:
        amount = form.cleaned_data.get(name)
        if currency and amount and is_too_small(amount, currency):
            least = display(SMALLEST_CHARGE[currency], currency)
            form.add_error(name, _("Cards are charged no less than %(least)s.") % {"least": least})


class TiersField(forms.CharField):
    """Graduated prices, a line each: the last one of the step (* for no end), and its price.

    Cleans to a list of tiers, None where nothing was typed.
    """

    widget = UnfoldAdminTextareaWidget

    def clean(self, value: Any) -> list[Tier] | None:
        text = super().clean(value)
        tiers = [self._tier(line) for line in text.splitlines() if line.strip()]
        if not tiers:
            return None
        ends = [tier.up_to for tier in tiers if tier.up_to is not None]
        if tiers[-1].up_to is not None or len(ends) != len(tiers) - 1:
            raise ValidationError(_("The last line, and only that, begins with *."))
        if ends != sorted(set(ends)):
            raise ValidationError(_("Each line must reach further than the one before it."))
        return tiers

    def _tier(self, line: str) -> Tier:
        """Raise ValidationError, naming the line."""
        end, _space, price = line.strip().partition(" ")
        try:
            tier = Tier(None if end == OPEN_END else int(end), Decimal(price.strip()))
        except (ValueError, InvalidOperation) as error:
            raise ValidationError(
                _("“%(line)s” is not a last number and a price."), params={"line": line}
            ) from error
        if not (tier.unit_amount.is_finite() and 0 <= tier.unit_amount < 10**8):
            raise ValidationError(_("“%(line)s” has no such price."), params={"line": line})
        if tier.unit_amount != round(tier.unit_amount, 4):
            raise ValidationError(_("“%(line)s” has over four decimals."), params={"line": line})
        if tier.up_to is not None and tier.up_to < 1:
            raise ValidationError(_("“%(line)s” holds nothing."), params={"line": line})
        return tier


class NewPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Edit a plan. A new price makes the next version; subscriptions keep the one they have."""

    new_currency = forms.ChoiceField(
        label=_("New price in"),
        choices=[("", "—"), *Currency.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    new_monthly_fee = forms.IntegerField(
        label=_("New monthly fee"),
        min_value=0,
        max_value=10**12,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("In minor units: 2900 is $29.00, 4500 is ¥4,500."),
    )
    new_setup_fee = forms.IntegerField(
        label=_("New setup fee"),
        min_value=0,
        max_value=10**12,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("In minor units, once per tenant, with the first month. Empty: none."),
    )
    new_trial_days = forms.IntegerField(
        label=_("New trial days"),
        min_value=0,
        max_value=365,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("For tenants who never had another plan than “free”. Empty: none."),
    )
    new_tiers = TiersField(
        label=_("New prices of requests by tier"),
        required=False,
        help_text=_(
            "For usage, a line per step: its last request and the price of one, in minor units, "
            "such as “1000 0”, “100000 0.2”, “* 0.1”. Empty: those of the version before."
        ),
    )

    new_conversion_tiers = TiersField(
        label=_("New prices of conversions by tier"),
        required=False,
        help_text=_(
            "As for requests, such as “100 0”, “* 0.1”. Empty: those of the version before, if "
            "any; “* 0” makes them free again."
        ),
    )
    TIERS: ClassVar = {Meter.REQUESTS: "new_tiers", Meter.CONVERSIONS: "new_conversion_tiers"}

    class Meta:
        model = Plan
        fields = [
            "code", "name", "description", "usage_plan", "overage", "is_public",
            "is_highlighted", "position",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        currency, has_fee = data.get("new_currency"), data.get("new_monthly_fee") is not None
        more = (*self.TIERS.values(), "new_setup_fee", "new_trial_days")
        has_more = any(data.get(name) for name in more)
        if bool(currency) != has_fee or (has_more and not currency):
            raise ValidationError(_("A new price needs both a currency and a fee."))
        overage = data.get("overage", self.instance.overage)
        if currency and overage == Overage.PRICED and Meter.REQUESTS not in self._steps(currency):
            self.add_error("new_tiers", _("Without tiers, usage of this plan would be free."))
        # A setup fee can be all that is to pay at once, where the new plan's days are paid already.
        chargeable_check(self, "new_monthly_fee", "new_setup_fee", currency=currency)
        return data

    def _steps(self, currency: str) -> dict[Meter, list[Tier]]:
        """Return the tiers typed, by meter, else those of the version before."""
        steps = {}
        if self.instance.pk is not None:
            steps = selectors.price_steps(plan=self.instance, currency=currency)
        typed = {meter: self.cleaned_data.get(name) for meter, name in self.TIERS.items()}
        return steps | {meter: tiers for meter, tiers in typed.items() if tiers is not None}

    def save_price(self, *, plan: Plan, actor: User, now: datetime) -> None:
        """Make the next price version, where a new fee was given."""
        currency = self.cleaned_data.get("new_currency")
        if currency:
            services.price_set(
                plan=plan,
                currency=currency,
                monthly_fee=self.cleaned_data["new_monthly_fee"],
                steps=self._steps(currency),
                setup_fee=self.cleaned_data.get("new_setup_fee") or 0,
                trial_days=self.cleaned_data.get("new_trial_days") or 0,
                actor=actor,
                now=now,
            )


class PackPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A pack's price in one currency: nothing, or what can be charged to a card."""

    class Meta:
        model = PackPrice
        fields = ["currency", "amount"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        chargeable_check(self, "amount", currency=data.get("currency"))
        return data

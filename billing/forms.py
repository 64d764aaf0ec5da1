"""The operator's form for a plan: its own fields, and a new price."""

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from billing import services
from billing.models import Currency, Plan
from billing.tiers import Tier


class NewPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """Edit a plan. A new fee makes the next price version; subscriptions keep the one they have."""

    new_currency = forms.ChoiceField(
        label=_("New price in"),
        choices=[("", "—"), *Currency.choices],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    new_monthly_fee = forms.IntegerField(
        label=_("New monthly fee"),
        min_value=0,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("In minor units: 2900 is $29.00, 4500 is ¥4,500. Tiers are carried over."),
    )

    class Meta:
        model = Plan
        fields = [
            "code", "name", "description", "usage_plan", "overage", "is_public",
            "is_highlighted", "position",
        ]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        has_fee = data.get("new_monthly_fee") is not None
        if bool(data.get("new_currency")) != has_fee:
            raise ValidationError(_("A new price needs both a currency and a fee."))
        return data

    def save_price(self, *, plan: Plan, now: datetime) -> None:
        """Make the next price version, where a new fee was given."""
        currency = self.cleaned_data.get("new_currency")
        if not currency:
            return
        latest = plan.prices.filter(currency=currency).order_by("-number").first()
        tiers = (
            [Tier(tier.up_to, tier.unit_amount) for tier in latest.tiers.all()] if latest else []
        )
        services.price_set(
            plan=plan,
            currency=currency,
            monthly_fee=self.cleaned_data["new_monthly_fee"],
            tiers=tiers,
            now=now,
        )

"""Forms of the alerts' settings. What may be chosen is decided by tenants.services."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.money import major, minor
from tenants import services
from tenants.alert_types import alert_types
from tenants.models import AlertSettings


class PercentsField(forms.CharField):
    """Whole percents, separated by commas; none where it is empty."""

    widget = forms.TextInput(attrs={"autocomplete": "off"})

    def __init__(self, *, label: Any) -> None:
        super().__init__(
            label=label,
            required=False,
            max_length=60,
            help_text=gettext_lazy("Separated by commas, like 50, 80, 100. Empty: none."),
        )

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else ", ".join(map(str, value or []))

    def clean(self, value: Any) -> list[int]:
        parts = super().clean(value).replace("、", ",").replace("，", ",").replace("%", "")
        try:
            return [int(part) for part in parts.split(",") if part.strip()]
        except ValueError as error:
            raise ValidationError(_("Write whole percents, like 50, 80, 100.")) from error


class AlertSettingsForm(forms.Form):
    """When the quota is told of, and which alerts come by mail, too."""

    quota_percents = PercentsField(label=gettext_lazy("Percents of a period’s requests"))
    mailed = forms.MultipleChoiceField(
        label=gettext_lazy("By mail, too"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("All of them are in the portal, and go to your webhooks."),
    )

    def __init__(self, *args: Any, settings: AlertSettings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {
            "quota_percents": settings.quota_percents,
            "mailed": services.kinds_mailed(settings),
        }
        kinds = [(each.kind, each.label) for each in alert_types() if each.mailed]
        self.fields["mailed"].choices = kinds  # type: ignore[attr-defined]  # of any field


class SpendingAlertsForm(forms.Form):
    """When a month's spending is told of: percents of the cap, and amounts of money."""

    spending_percents = PercentsField(label=gettext_lazy("Percents of your spending cap"))

    def __init__(self, *args: Any, settings: AlertSettings, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.initial = {"spending_percents": settings.spending_percents}
        for number in range(services.MOST_AMOUNTS):
            self.fields[f"amount_{number}"] = forms.DecimalField(
                label=_("Amount %(number)d of a month, in %(currency)s")
                % {"number": number + 1, "currency": currency},
                required=False,
                min_value=0,
                max_digits=14,
                widget=forms.NumberInput(attrs={"step": str(major(1, currency))}),
            )
        for number, amount in enumerate(settings.spending_amounts):
            self.initial[f"amount_{number}"] = major(amount, currency)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        amounts = []
        for number in range(services.MOST_AMOUNTS):
            amount = data.get(f"amount_{number}")
            try:
                amounts += [minor(amount, self.currency)] if amount else []
            except ValueError:
                self.add_error(f"amount_{number}", _("Write an amount like 50."))
        return {"spending_percents": data.get("spending_percents"), "spending_amounts": amounts}

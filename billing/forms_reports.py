"""Which months a report is to be about."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.reports.months import MOST, Months


class MonthField(forms.DateField):
    """A month, as its first day."""

    def __init__(self, **more: Any) -> None:
        widget = UnfoldAdminTextInputWidget(attrs={"type": "month"})
        within = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2099, 12, 1))]
        super().__init__(input_formats=["%Y-%m"], widget=widget, validators=within, **more)


class MonthsForm(forms.Form):
    """From one month to another, both included (UTC)."""

    first = MonthField(label=gettext_lazy("First month"))
    last = MonthField(label=gettext_lazy("Last month"))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if {"first", "last"} <= cleaned.keys():
            if cleaned["first"] > cleaned["last"]:
                raise ValidationError(_("The first month is after the last one."))
            if len(self._months(cleaned)) > MOST:
                raise ValidationError(_("At most %(most)d months at once.") % {"most": MOST})
        return cleaned

    @property
    def months(self) -> Months:
        return self._months(self.cleaned_data)

    def _months(self, cleaned: dict[str, Any]) -> Months:
        return Months(cleaned["first"], cleaned["last"])

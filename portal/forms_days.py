"""A range of UTC days, for the forms that ask for one among other things."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.days import day_check


class DayField(forms.DateField):
    """A day, picked from the browser's own calendar."""

    widget = forms.DateInput(attrs={"type": "date"})
    default_validators = [day_check]


class DaysForm(forms.Form):
    """The first and the last day, both included."""

    start = DayField(label=_("First day"))
    end = DayField(label=_("Last day"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("start"), data.get("end")
        if start and end and end < start:
            self.add_error("end", _("The end is before the start."))
        return data

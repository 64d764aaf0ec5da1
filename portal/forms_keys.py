"""Forms about keys. Days are UTC days, and what is chosen by the day lasts to the day's end."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

UNTIL_A_DAY = "day"


def day_end(day: date) -> datetime:
    """Return the moment at which a UTC day is over."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=UTC)


class ApiKeyForm(forms.Form):
    """Name a key, and say when it expires, if ever."""

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        help_text=_("For example: production, staging."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    last_day = forms.DateField(
        label=_("Last day (UTC)"),
        required=False,
        help_text=_("The key expires when it is over. We send an email 7 days and 1 day before."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        day = data.get("last_day")
        data["expires_at"] = day_end(day) if day else None
        return data


class KeyRotateForm(forms.Form):
    """Say for how long the old value works beside the new one."""

    overlap = forms.ChoiceField(
        label=_("The old value works for"),
        choices=[
            ("0", _("no longer: it ends at once")),
            ("3600", _("1 more hour")),
            ("86400", _("24 more hours")),
            ("604800", _("7 more days")),
            (UNTIL_A_DAY, _("until the end of the day below")),
        ],
        initial="86400",
    )
    until = forms.DateField(
        label=_("Day (UTC)"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        chosen, day = data.get("overlap"), data.get("until")
        if chosen == UNTIL_A_DAY:
            if day is None or day_end(day) <= self.now:
                raise ValidationError(_("Choose the day until which the old value works."))
            data["overlap"] = day_end(day) - self.now
        elif chosen:
            data["overlap"] = timedelta(seconds=int(chosen))
        return data

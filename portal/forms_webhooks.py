"""Forms of the webhooks' pages. What an endpoint may be is decided by tenants.services."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.webhook_types import TEST, event_types


class WebhookEndpointForm(forms.Form):
    """Where an endpoint is, and what it hears of."""

    url = forms.CharField(
        label=_("URL"),
        max_length=500,
        help_text=_("Where we POST to: an https address that the internet reaches."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
    )
    description = forms.CharField(
        label=_("What it is for"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    event_types = forms.MultipleChoiceField(
        label=_("Event types"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all of them, and those to come."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types = [each.name for each in event_types() if each.name != TEST]
        self.fields["event_types"].choices = [(name, name) for name in types]  # type: ignore[attr-defined]


class ReplaySinceForm(forms.Form):
    """Since which UTC day failed events are to be sent again."""

    since = forms.DateField(label=_("Since"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["since"].initial = timezone.now().date() - timedelta(days=3)

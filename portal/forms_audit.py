"""The form that looks for something in the audit trail."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from portal.forms_days import DaysForm
from tenants.audit_words import Part
from tenants.models import ActorKind
from tenants.selectors import AuditFilter

_NAMELESS = (ActorKind.OPERATOR, ActorKind.SYSTEM)


class AuditFilterForm(DaysForm):
    """Whose acts, about what, on which UTC days, both included. What is empty may be anything."""

    actor = forms.ChoiceField(label=_("Who"), required=False)
    part = forms.ChoiceField(
        label=_("About"), required=False, choices=[("", _("Everything")), *Part.choices]
    )
    field_order = ["actor", "part", "start", "end"]

    def __init__(self, *args: Any, actors: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start"].required = self.fields["end"].required = False
        self.fields["actor"].choices = [  # type: ignore[attr-defined]
            ("", _("Everybody")),
            *((name, name) for name in actors),
            *((kind.value, capfirst(kind.label)) for kind in _NAMELESS),
        ]

    def asked(self) -> AuditFilter:
        """Return what a valid form asks for."""
        return AuditFilter(**self.cleaned_data)

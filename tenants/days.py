"""UTC days that people ask for."""

from datetime import date

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


def day_check(day: date) -> None:
    """Raise ValidationError for a day beside which a calendar may have no month, or week."""
    if not 2000 <= day.year <= 2100:
        raise ValidationError(_("Choose a day from 2000 to 2100."))

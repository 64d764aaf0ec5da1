"""Sentences that stand beside each other."""

from functools import reduce

from django.utils.translation import gettext as _


def sentences(*texts: str) -> str:
    """Join sentences as the current language does: Japanese has no space between them."""
    return reduce(_joined, texts)


def _joined(first: str, second: str) -> str:
    return _("%(first)s %(second)s") % {"first": first, "second": second}

"""Amounts in the admin: rows keep minor units of a currency, operators read money."""

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.contrib import admin

from billing.money import display

if TYPE_CHECKING:  # only django-stubs have the name
    from django.utils.functional import _StrPromise


def money(
    name: str, label: "str | _StrPromise", *, currency: str = "currency"
) -> Callable[[Any], str]:
    """Return a column that shows an amount of a row, whose currency is at a dotted path."""
    currency_of = attrgetter(currency)

    @admin.display(description=label)
    def shown(row: Any) -> str:
        return display(getattr(row, name), currency_of(row))

    return shown

"""Amounts in the admin: rows keep minor units of a currency, operators read money."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from billing.money import display
from tenants.admin_tools import ReadOnly

if TYPE_CHECKING:  # only django-stubs have the name
    from django.utils.functional import _StrPromise


def money(
    name: str, label: "str | _StrPromise", *, currency: str = "currency"
) -> Callable[[Any], str]:
    """Return a column that shows an amount of a row, whose currency is at a dotted path."""
    currency_of = attrgetter(currency)

    @admin.display(description=label, ordering=name)
    def shown(row: Any) -> str:
        return display(getattr(row, name), currency_of(row))

    return shown


class MoneyAdmin(ReadOnly, ModelAdmin):
    """A page that shows each of these fields as money, by the field's name."""

    amounts: ClassVar[Mapping[str, Callable[[Any], str]]]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self.amounts.get(name, name) for name in super().get_fields(request, obj)]

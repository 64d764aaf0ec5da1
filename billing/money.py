"""Amounts: minor units, rounding, and how people read them."""

from decimal import ROUND_HALF_UP, Decimal

from babel.numbers import format_currency, get_currency_precision
from django.utils.translation import get_language


def rounded(amount: Decimal) -> int:
    """Round an amount in minor units to a whole one, half up. Once per line, never twice."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def prorated(amount: int, *, days: int, of: int) -> int:
    """Return the share of a month's amount for `days` of its `of` days, half up."""
    return rounded(Decimal(amount) * days / of)


def major(amount: int | Decimal, currency: str) -> Decimal:
    """Turn minor units into the currency's own: 150 USD cents are 1.50, 150 yen are 150."""
    return Decimal(amount).scaleb(-get_currency_precision(currency))


def minor(amount: Decimal, currency: str) -> int:
    """Turn a currency's own units into minor ones. Raise ValueError for a part of one."""
    units = amount.scaleb(get_currency_precision(currency))
    if not units.is_finite() or units != int(units):
        raise ValueError(f"{amount} {currency} is no whole number of minor units")
    return int(units)


def display(amount: int, currency: str, *, language: str | None = None) -> str:
    """Write an amount as people of the language do."""
    return format_currency(
        major(amount, currency), currency, locale=_locale(language), group_separator=True
    )


def display_unit(amount: Decimal, currency: str, *, language: str | None = None) -> str:
    """Write a price per request, with as many decimals as it has; a whole one as an amount."""
    if amount == amount.to_integral_value():
        return display(int(amount), currency, language=language)
    value = major(amount, currency)
    text = format_currency(
        value, currency, locale=_locale(language), currency_digits=False, decimal_quantization=False
    )
    return str(text)


def _locale(language: str | None) -> str:
    return (language or get_language() or "en").replace("-", "_")

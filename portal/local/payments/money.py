"""Currencies: which we know, how they are written, and the least and most that can be charged.

Minimums: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts; currencies without
minor units: https://docs.stripe.com/currencies#zero-decimal. All amounts are in minor units.
"""

from dataclasses import dataclass

from .errors import ApiError, InvalidParameter

DISPUTE_FEE = 1_500  # a chargeback's, in minor units of its currency: $15, ¥1,500
_MAXIMUM = 99_999_999


@dataclass(frozen=True)
class Currency:
    symbol: str
    decimals: int
    minimum: int


_CURRENCIES = {
    "aud": Currency("A$", 2, 50),
    "cad": Currency("CA$", 2, 50),
    "chf": Currency("CHF ", 2, 50),
    "dkk": Currency("DKK ", 2, 250),
    "eur": Currency("€", 2, 50),
    "gbp": Currency("£", 2, 30),
    "hkd": Currency("HK$", 2, 400),
    "inr": Currency("₹", 2, 50),
    "jpy": Currency("¥", 0, 50),
    "nok": Currency("NOK ", 2, 300),
    "nzd": Currency("NZ$", 2, 50),
    "sek": Currency("SEK ", 2, 300),
    "sgd": Currency("S$", 2, 50),
    "usd": Currency("$", 2, 50),
}


def check_currency(code: str, *, param: str = "currency") -> None:
    """Raises InvalidParameter unless `code` is a currency in lower case that we know."""
    if code not in _CURRENCIES:
        known = ", ".join(_CURRENCIES)
        raise InvalidParameter(
            f"Invalid currency: {code}. These currencies are supported here: {known}", param=param
        )


def check_amount(
    amount: int, currency: str, *, param: str = "amount", what: str = "Amount"
) -> None:
    """Raises ApiError for an amount below the currency's minimum or above the maximum."""
    minimum = _CURRENCIES[currency].minimum
    if amount < minimum:
        raise ApiError(
            f"{what} must be at least {written(minimum, currency)} {currency}",
            code="amount_too_small",
            param=param,
        )
    if amount > _MAXIMUM:
        raise ApiError(
            f"{what} must be no more than {written(_MAXIMUM, currency)} {currency}",
            code="amount_too_large",
            param=param,
        )


def written(amount: int, currency: str) -> str:
    """An amount for people, such as $1,234.50 or ¥4,500."""
    known = _CURRENCIES[currency]
    whole, minor = divmod(abs(amount), 10**known.decimals)
    fraction = f".{minor:0{known.decimals}}" if known.decimals else ""
    return f"{'-' if amount < 0 else ''}{known.symbol}{whole:,}{fraction}"


def fee(amount: int) -> int:
    """What processing costs: 3.6 %, rounded half up (Stripe's rate for cards in Japan)."""
    return (amount * 36 + 500) // 1000

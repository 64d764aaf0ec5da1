"""Stripe's test cards, and what each of them does (https://docs.stripe.com/testing).

A saved payment method remembers its card by `token` (such as `pm_card_visa`, which the API also
takes wherever it takes a payment method); the number is never stored.
"""

from dataclasses import dataclass
from enum import Enum

from .errors import CardError


class Authentication(Enum):
    """When a card's bank wants 3-D Secure."""

    NEVER = "never"
    UNLESS_SET_UP = "unless_set_up"
    ALWAYS = "always"


@dataclass(frozen=True)
class Decline:
    """Why a bank says no, in Stripe's words."""

    code: str
    message: str
    decline_code: str | None = None

    def error(self) -> CardError:
        return CardError(self.message, code=self.code, decline_code=self.decline_code)


GENERIC = Decline("card_declined", "Your card was declined.", "generic_decline")
INSUFFICIENT = Decline("card_declined", "Your card has insufficient funds.", "insufficient_funds")
EXPIRED = Decline("expired_card", "Your card has expired.")
INCORRECT_CVC = Decline("incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING = Decline(
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
NOT_A_TEST_CARD = Decline(
    "card_declined",
    "Your card was declined. Your request was in test mode, but used a non test card. "
    "For a list of valid test cards, visit: https://docs.stripe.com/testing.",
    "test_mode_live_card",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
)


@dataclass(frozen=True)
class Card:
    """`savable` says whether the card can be attached although charging it is declined.

    `dispute` is what the cardholder says after the charge (see `resources.disputes`), `refund` what
    becomes of a refund some time after it was made.
    """

    number: str
    token: str
    brand: str = "visa"
    decline: Decline | None = None
    savable: bool = True
    authentication: Authentication = Authentication.NEVER
    dispute: str | None = None
    refund: str | None = None

    @property
    def last4(self) -> str:
        return self.number[-4:]


_CARDS = (
    Card("4242424242424242", "pm_card_visa"),
    Card("5555555555554444", "pm_card_mastercard", brand="mastercard"),
    Card("3566002020360505", "pm_card_jcb", brand="jcb"),
    Card("4000000000000002", "pm_card_visa_chargeDeclined", decline=GENERIC, savable=False),
    Card(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        decline=INSUFFICIENT,
        savable=False,
    ),
    Card("4000000000000069", "pm_card_chargeDeclinedExpiredCard", decline=EXPIRED, savable=False),
    Card(
        "4000000000000127",
        "pm_card_chargeDeclinedIncorrectCvc",
        decline=INCORRECT_CVC,
        savable=False,
    ),
    Card(
        "4000000000000119",
        "pm_card_chargeDeclinedProcessingError",
        decline=PROCESSING,
        savable=False,
    ),
    Card("4000000000000341", "pm_card_chargeCustomerFail", decline=GENERIC),
    Card(
        "4000002500003155",
        "pm_card_authenticationRequiredOnSetup",
        authentication=Authentication.UNLESS_SET_UP,
    ),
    Card(
        "4000002760003184",
        "pm_card_authenticationRequired",
        authentication=Authentication.ALWAYS,
    ),
    Card("4000000000000259", "pm_card_createDispute", dispute="fraudulent"),
    Card(
        "4000000000002685",
        "pm_card_createDisputeProductNotReceived",
        dispute="product_not_received",
    ),
    Card("4000000000001976", "pm_card_createDisputeInquiry", dispute="inquiry"),
    Card("4000000000007726", "pm_card_pendingRefund", refund="succeeded"),
    Card("4000000000005126", "pm_card_refundFail", refund="failed"),
)
_BY_NUMBER = {card.number: card for card in _CARDS}
_BY_TOKEN = {card.token: card for card in _CARDS}


def by_number(number: str) -> Card | None:
    return _BY_NUMBER.get(number)


def by_token(token: str) -> Card | None:
    return _BY_TOKEN.get(token)


def plausible(number: str) -> bool:
    """Whether the digits could be a card number at all (length and Luhn's check digit)."""
    if not (number.isascii() and number.isdecimal() and 12 <= len(number) <= 19):
        return False
    doubled = (int(digit) * 2 for digit in number[-2::-2])
    total = sum(int(digit) for digit in number[-1::-2]) + sum(sum(divmod(d, 10)) for d in doubled)
    return total % 10 == 0

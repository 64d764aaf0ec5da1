"""Why a card was declined, in plain words and with what to do about it.

The codes are Stripe's (https://docs.stripe.com/declines/codes). As Stripe advises there, a card
that was reported lost or stolen, or a charge that looked like fraud, is shown like any other
decline: the bank tells its customer, we do not tell a thief.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_ASK_BANK = _("The bank declined the card. Please ask your bank, or pay with another card.")
_FUNDS = _("There is not enough money on the card. Please top it up, or pay with another card.")
_LIMIT = _("The card's limit is reached. Please ask your bank to raise it, or pay with another.")
_EXPIRED = _("The card has expired. Please pay with another card.")
_TYPED = _("The card's number, date or security code is wrong. Please enter it again.")
_LATER = _("The bank could not answer just now. Please try again in a little while.")
_CONFIRM = _("The bank wants you to confirm the payment. Please open it and do so.")
_UNCONFIRMED = _("The payment was not confirmed with the bank. Please try again, or with another.")
_UNSUITABLE = _("The card cannot be used for this kind of payment. Please pay with another card.")
_CURRENCY = _("The card cannot be charged in this currency. Please pay with another card.")

_WORDS: dict[str, Promise] = {
    "card_declined": _ASK_BANK,
    "generic_decline": _ASK_BANK,
    "call_issuer": _ASK_BANK,
    "do_not_honor": _ASK_BANK,
    "fraudulent": _ASK_BANK,
    "lost_card": _ASK_BANK,
    "stolen_card": _ASK_BANK,
    "pickup_card": _ASK_BANK,
    "restricted_card": _ASK_BANK,
    "no_action_taken": _ASK_BANK,
    "merchant_blacklist": _ASK_BANK,
    "revocation_of_all_authorizations": _ASK_BANK,
    "revocation_of_authorization": _ASK_BANK,
    "stop_payment_order": _ASK_BANK,
    "security_violation": _ASK_BANK,
    "insufficient_funds": _FUNDS,
    "card_velocity_exceeded": _LIMIT,
    "withdrawal_count_limit_exceeded": _LIMIT,
    "expired_card": _EXPIRED,
    "incorrect_number": _TYPED,
    "invalid_number": _TYPED,
    "incorrect_cvc": _TYPED,
    "invalid_cvc": _TYPED,
    "incorrect_zip": _TYPED,
    "invalid_expiry_month": _TYPED,
    "invalid_expiry_year": _TYPED,
    "processing_error": _LATER,
    "issuer_not_available": _LATER,
    "reenter_transaction": _LATER,
    "try_again_later": _LATER,
    "approve_with_id": _LATER,
    "authentication_required": _CONFIRM,
    "payment_intent_authentication_failure": _UNCONFIRMED,
    "setup_intent_authentication_failure": _UNCONFIRMED,
    "card_not_supported": _UNSUITABLE,
    "invalid_account": _UNSUITABLE,
    "new_account_information_available": _UNSUITABLE,
    "service_not_allowed": _UNSUITABLE,
    "transaction_not_allowed": _UNSUITABLE,
    "currency_not_supported": _CURRENCY,
    "amount_too_small": _("This is too small an amount to be charged to a card."),
    "refused": _("The saved card cannot be charged. Please save another."),  # ours, not the bank's
}


def in_words(code: str, message: str = "") -> str:
    """Return the reason in the current language; Stripe's own message for a code not known here."""
    words = _WORDS.get(code)
    return str(words) if words is not None else message

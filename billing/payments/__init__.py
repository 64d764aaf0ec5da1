"""The only module that talks to Stripe. Returns our dataclasses, raises our errors:

    PaymentError                str() says what was asked, and what was answered
    ├── PaymentUnavailable      no answer, a server error, or our key is wrong: it may or may not
    │                           have happened
    ├── PaymentDeclined         the bank said no; `code` and a message for the cardholder
    ├── AuthenticationNeeded    the bank wants the cardholder; only they can go on, in a browser
    └── PaymentRefused          Stripe understood and refused: a repeat will not help

Every call that makes something carries an idempotency key of the caller's. Stripe forgets those
after 24 hours (https://docs.stripe.com/api/idempotent_requests), so the ids that come back are
stored, and asked for first.

client.py     one client, and how errors become ours
errors.py     those
checkout.py   customers, and the pages on which they pay or save a card
cards.py      saved cards
charges.py    charges of a saved card
refunds.py    refunds
disputes.py   disputes
balance.py    balance transactions and payouts
events.py     webhooks, and the list of what they told
"""

from datetime import timedelta

from billing.payments.balance import (
    PayoutStatus,
    StripeTransaction,
    payout_status,
    transactions_of,
    transactions_since,
)
from billing.payments.cards import Card, card_detach
from billing.payments.charges import (
    IntentState,
    intent_cancel,
    intent_create,
    intent_find,
    intent_get,
)
from billing.payments.checkout import (
    CheckoutState,
    checkout_create,
    checkout_expire,
    checkout_get,
    customer_create,
    customer_delete,
    customer_update,
)
from billing.payments.disputes import StripeDispute, dispute_get, disputes_since, payment_page
from billing.payments.errors import (
    AuthenticationNeeded,
    BadSignature,
    PaymentDeclined,
    PaymentError,
    PaymentRefused,
    PaymentUnavailable,
)
from billing.payments.events import Event, event_verify, events_between
from billing.payments.refunds import (
    StripeRefund,
    refund_create,
    refund_find,
    refund_get,
    refunds_of,
    refunds_of_intent,
)

KEYS_LIVE = timedelta(hours=23)  # Stripe forgets idempotency keys after 24

__all__ = [
    "KEYS_LIVE",
    "AuthenticationNeeded",
    "BadSignature",
    "Card",
    "CheckoutState",
    "Event",
    "IntentState",
    "PaymentDeclined",
    "PaymentError",
    "PaymentRefused",
    "PaymentUnavailable",
    "PayoutStatus",
    "StripeDispute",
    "StripeRefund",
    "StripeTransaction",
    "card_detach",
    "checkout_create",
    "checkout_expire",
    "checkout_get",
    "customer_create",
    "customer_delete",
    "customer_update",
    "dispute_get",
    "disputes_since",
    "event_verify",
    "events_between",
    "intent_cancel",
    "intent_create",
    "intent_find",
    "intent_get",
    "payment_page",
    "payout_status",
    "refund_create",
    "refund_find",
    "refund_get",
    "refunds_of",
    "refunds_of_intent",
    "transactions_of",
    "transactions_since",
]

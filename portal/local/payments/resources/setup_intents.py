"""Setup intents: saving a card without charging it (https://docs.stripe.com/api/setup_intents).

Here they are only made by Checkout Sessions in setup mode.
"""

from typing import Any

from portal.local.payments.params import EXPAND, PAGE, Hash, Range, Text
from portal.local.payments.present import chosen, page
from portal.local.payments.store import Object, Transaction, new_id

RETRIEVE = Hash({**EXPAND, "client_secret": Text()})
LIST = Hash({**PAGE, "created": Range(), "customer": Text(), "payment_method": Text()})


def build(tx: Transaction, **given: Any) -> Object:
    """A new intent that wants a card. `given` are fields of the object, or private notes."""
    id = new_id("seti_1")
    intent: Object = {
        "id": id,
        "object": "setup_intent",
        "allowed_payment_method_types": None,
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": f"{id}_secret_{new_id('', 25)}",
        "created": tx.now,
        "customer": None,
        "customer_account": None,
        "description": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": "off_session",
        "_return_url": None,
        "_session": None,
    }
    intent.update(given)
    tx.save(intent)
    tx.emit("setup_intent.created", intent)
    return intent


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("setup_intent", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "customer", "payment_method")
    return page(tx, "setup_intent", "/v1/setup_intents", params, equal=equal)


def close(tx: Transaction, intent: Object) -> None:
    """Cancel an intent that has not succeeded."""
    intent.update(status="canceled", cancellation_reason="abandoned", next_action=None)
    tx.save(intent)
    tx.emit("setup_intent.canceled", intent)

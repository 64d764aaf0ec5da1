"""What the pages do: pay or save a card for a session, and answer the bank's question.

Each step looks at the stored state first, so that a doubled or late click finds the work done and
is only told where to go.
"""

from urllib.parse import urlencode, urlsplit

from portal.local.payments.cards import Card
from portal.local.payments.errors import CardError
from portal.local.payments.resources import (
    attempts,
    customers,
    payment_intents,
    payment_methods,
    sessions,
)
from portal.local.payments.store import Object, Transaction


def pay(
    tx: Transaction, session: Object, card: Card, name: str, expiry: tuple[int, int]
) -> CardError | str:
    """Use the card for an open session. Returns the decline, or the address to go on to."""
    details = session["customer_details"] or {}
    email = details.get("email")
    if session["mode"] == "payment":
        intent = _payment_intent(tx, session, name, email)
    else:
        intent = tx.get("setup_intent", session["setup_intent"])
    method = payment_methods.create(tx, card, name=name, email=email, expiry=expiry)
    error = attempts.use(tx, intent, method)
    if error is not None:
        return error
    if intent["status"] == "requires_action":
        return f"{tx.origin}/authenticate/{intent['id']}"
    sessions.complete(tx, session, method)
    return success_url(session)


def answer_bank(tx: Transaction, intent: Object, *, passed: bool) -> str:
    """3-D Secure was passed or not, for an intent in `requires_action`. Returns where to go."""
    if not passed:
        attempts.fail_authentication(tx, intent)
    else:
        method = tx.get("payment_method", intent["payment_method"])
        error = attempts.use(tx, intent, method, authenticated=True)
        if error is None and intent["_session"]:
            sessions.complete(tx, tx.get("checkout.session", intent["_session"]), method)
    return after_bank(tx, intent)


def after_bank(tx: Transaction, intent: Object) -> str:
    """Where somebody goes whose intent waits for no authentication (any more)."""
    if intent["_session"]:
        session = tx.get("checkout.session", intent["_session"])
        if session["status"] == "complete":
            return success_url(session)
        return f"{tx.origin}/checkout/{session['id']}"
    url: str = intent["_return_url"] or ""
    if not url:
        return ""
    answer = {
        intent["object"]: intent["id"],
        f"{intent['object']}_client_secret": intent["client_secret"],
        "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
    }
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(answer)}"


def find_intent(tx: Transaction, id: str) -> Object | None:
    return tx.find("payment_intent", id) or tx.find("setup_intent", id)


def last_error(tx: Transaction, session: Object) -> Object | None:
    """Why the last attempt on this session failed, if it did."""
    if session["payment_intent"]:
        error: Object | None = tx.get("payment_intent", session["payment_intent"])[
            "last_payment_error"
        ]
    elif session["setup_intent"]:
        error = tx.get("setup_intent", session["setup_intent"])["last_setup_error"]
    else:
        error = None
    return error


def success_url(session: Object) -> str:
    url: str = session["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _payment_intent(tx: Transaction, session: Object, name: str, email: str | None) -> Object:
    """The session's payment intent, made at the first attempt; a customer too if one is needed."""
    if session["payment_intent"]:
        return tx.get("payment_intent", session["payment_intent"])
    wants_customer = session["customer_creation"] == "always" or session["_intent"].get(
        "setup_future_usage"
    )
    if session["customer"] is None and wants_customer:
        customer = customers.create(tx, {"name": name, "email": email})
        session["customer"] = customer["id"]
    intent = payment_intents.build(
        tx,
        amount=session["amount_total"],
        currency=session["currency"],
        **sessions.intent_values(session),
    )
    session["payment_intent"] = intent["id"]
    tx.save(session)
    return intent

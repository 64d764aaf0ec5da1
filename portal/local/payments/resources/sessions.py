"""Checkout Sessions in payment and setup mode (https://docs.stripe.com/api/checkout/sessions).

As at Stripe, a session in payment mode has no payment intent until somebody tries to pay, and a
session's url is gone once it is complete or expired.
"""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.present import chosen, line_items, page
from portal.local.payments.store import Object, Transaction

from . import payment_intents, session_objects, session_params, setup_intents


def create(tx: Transaction, params: dict[str, Any]) -> Object:
    session_params.check(params, now=tx.now)
    session = session_objects.build(tx, params)
    if session["mode"] == "setup":
        session["setup_intent"] = setup_intents.build(tx, **intent_values(session))["id"]
    tx.save(session)
    return session


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("checkout.session", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    equal = chosen(params, "customer", "payment_intent", "status")
    return page(tx, "checkout.session", "/v1/checkout/sessions", params, equal=equal)


def list_items(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return line_items(tx.get("checkout.session", id))


def expire(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    session = tx.get("checkout.session", id)
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of {session['status']}.",
            param="session",
        )
    _expire(tx, session)
    return session


def expire_due(tx: Transaction) -> None:
    """Expire the open sessions whose time is over by the server's clock."""
    rows = tx.db.execute(
        "SELECT id FROM objects WHERE kind = 'checkout.session' "
        "AND json_extract(body, '$.status') = 'open' AND json_extract(body, '$.expires_at') <= ?",
        (tx.now,),
    ).fetchall()
    for (id,) in rows:
        _expire(tx, tx.get("checkout.session", id))


def complete(tx: Transaction, session: Object, method: Object) -> None:
    """The session's intent succeeded with this card."""
    details = method["billing_details"]
    session.update(
        status="complete",
        url=None,
        customer_details=session_objects.customer_details(details["email"], details["name"]),
    )
    if session["mode"] == "payment":
        session["payment_status"] = "paid"
    tx.save(session)
    tx.emit("checkout.session.completed", session)


def intent_values(session: Object) -> dict[str, Any]:
    """What the session's intent starts with."""
    given = dict(session["_intent"])
    given["metadata"] = given.get("metadata") or {}
    return {**given, "customer": session["customer"], "_session": session["id"]}


def _expire(tx: Transaction, session: Object) -> None:
    session.update(status="expired", url=None)
    tx.save(session)
    if session["payment_intent"]:
        payment = tx.get("payment_intent", session["payment_intent"])
        payment_intents.close(tx, payment, "abandoned")
    if session["setup_intent"]:
        setup_intents.close(tx, tx.get("setup_intent", session["setup_intent"]))
    tx.emit("checkout.session.expired", session)

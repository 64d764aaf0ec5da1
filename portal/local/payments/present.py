"""How objects leave the server: without private notes, expanded as asked, in lists with cursors.

Expansion: https://docs.stripe.com/api/expanding_objects; lists: https://docs.stripe.com/api/pagination.
"""

from collections.abc import Mapping
from typing import Any

from .errors import ApiError, InvalidParameter
from .store import Object, Transaction, public

# kind -> the fields that hold another object's id
_EXPANDABLE = {
    "balance": (),
    "balance_transaction": ("source",),
    "charge": ("balance_transaction", "customer", "payment_intent"),
    "checkout.session": ("customer", "payment_intent", "setup_intent"),
    "customer": (),
    "dispute": ("charge", "payment_intent"),
    "event": (),
    "payment_intent": ("customer", "latest_charge", "payment_method"),
    "payment_method": ("customer",),
    "payout": ("balance_transaction", "failure_balance_transaction"),
    "refund": (
        "balance_transaction",
        "charge",
        "failure_balance_transaction",
        "payment_intent",
    ),
    "setup_intent": ("customer", "payment_method"),
}
_MAX_DEPTH = 4


def present(tx: Transaction, document: Object, expand: list[str]) -> Object:
    """What the client sees of `document`, with the paths in `expand` followed."""
    shown = _as_of_now(tx, document)
    for path in expand:
        if path.count(".") >= _MAX_DEPTH:
            raise InvalidParameter(
                f"You cannot expand more than {_MAX_DEPTH} levels of a property ({path})",
                param="expand",
            )
        _expand(tx, document, shown, path)
    return shown


def _as_of_now(tx: Transaction, document: Object) -> Object:
    shown = public(document)
    if document["object"] == "balance_transaction":
        shown["status"] = "available" if document["available_on"] <= tx.now else "pending"
    elif document["object"] == "event":
        pending = tx.db.execute(
            "SELECT count(*) FROM deliveries WHERE event = ? AND state = 'pending'",
            (document["id"],),
        ).fetchone()
        shown["pending_webhooks"] = min(pending[0], 1)
    return shown


def _expand(tx: Transaction, document: Object, shown: Object, path: str) -> None:
    name, _, rest = path.partition(".")
    kind = document["object"]
    if kind == "checkout.session" and path == "line_items":
        shown[name] = line_items(document)
        return
    if name not in _EXPANDABLE[kind]:
        raise InvalidParameter(f"This property cannot be expanded ({path}).", param="expand")
    target = tx.find_any(document.get(name))
    if target is None:
        return
    if not isinstance(shown[name], dict):
        shown[name] = _as_of_now(tx, target)
    if rest:
        _expand(tx, target, shown[name], rest)


def line_items(session: Object) -> Object:
    return {
        "object": "list",
        "data": [public(item) for item in session["_line_items"]],
        "has_more": False,
        "url": f"/v1/checkout/sessions/{session['id']}/line_items",
    }


def chosen(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of the filters `names` that were given."""
    return {name: params[name] for name in names if name in params}


def page(
    tx: Transaction,
    kind: str,
    url: str,
    params: Mapping[str, Any],
    *,
    equal: Mapping[str, Any] | None = None,
    any_of: Mapping[str, list[str]] | None = None,
    ranges: Mapping[str, Mapping[str, int]] | None = None,
) -> Object:
    """One page of objects, newest first, and whether there are more beyond it."""
    after, before = params.get("starting_after"), params.get("ending_before")
    if after is not None and before is not None:
        raise ApiError(
            "You can only use one of starting_after and ending_before, not both.",
            param="starting_after",
        )
    for param in ("starting_after", "ending_before"):
        if param in params:
            tx.get(kind, params[param], param=param)
    limit = params.get("limit", 10)
    found = tx.select(
        kind,
        equal=equal,
        any_of=any_of,
        ranges=ranges or chosen(params, "created"),
        after=after,
        before=before,
        limit=limit + 1,
    )
    has_more = len(found) > limit
    if has_more:
        found = found[1:] if before is not None else found[:-1]
    expand = []
    for path in params.get("expand", []):
        head, _, rest = path.partition(".")
        if head != "data" or not rest:
            raise InvalidParameter(
                f"This property cannot be expanded ({path}). In a list, expand data.{path}.",
                param="expand",
            )
        expand.append(rest)
    data = [present(tx, document, expand) for document in found]
    return {"object": "list", "url": url, "has_more": has_more, "data": data}

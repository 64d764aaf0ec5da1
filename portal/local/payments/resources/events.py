"""Events, for 30 days (https://docs.stripe.com/api/events)."""

from typing import Any

from portal.local.payments.errors import ApiError
from portal.local.payments.params import EXPAND, PAGE, Hash, ListOf, Range, Text
from portal.local.payments.present import page
from portal.local.payments.store import Object, Transaction

RETRIEVE = Hash(EXPAND)
LIST = Hash(
    {**PAGE, "created": Range(), "type": Text(), "types": ListOf(Text(blank=False), max=20)}
)
_KEPT = 30 * 24 * 3600


def retrieve(tx: Transaction, params: dict[str, Any], id: str) -> Object:
    return tx.get("event", id)


def list_all(tx: Transaction, params: dict[str, Any]) -> Object:
    if "type" in params and "types" in params:
        raise ApiError("You may pass either type or types, but not both.", param="types")
    created = dict(params.get("created", {}))
    created["gte"] = max(created.get("gte", 0), tx.now - _KEPT)
    types = params.get("types") or ([params["type"]] if params.get("type") else None)
    any_of = {"type": types} if types else None
    return page(tx, "event", "/v1/events", params, any_of=any_of, ranges={"created": created})

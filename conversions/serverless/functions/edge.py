"""What the portal publishes to the edge table: whose a key is, and what its tenant may do.

Items are strings; anything else is in them as JSON (conversions/services/edge.py writes them). What
was read is believed for two seconds, which is about what news takes to get there: a caller in a
hurry costs one read, not one a call. What was not found is looked for again.
"""

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from conversions.serverless.functions.clients import table

FRESH_SECONDS = 2
MOST_KNOWN = 1000

_known: dict[str, tuple[float, dict[str, Any]]] = {}  # an item by its key, and when it was read


class NotPublished(Exception):
    """The portal has not published this yet, or has taken it back."""


@dataclass(frozen=True)
class Caller:
    """The tenant that a gateway key belongs to. Ids are the gateway's and the portal's own."""

    key_id: str
    key_name: str
    tenant: str
    tenant_name: str
    plan: str


@dataclass(frozen=True)
class Account:
    """What a tenant may do: its presets (mappings, for filetypes.recipe_of), and its quota.

    `limit` is in requests for the period of UTC days from `period_start` on; None: no limit. `keys`
    are the gateway's ids of all its keys, which share the quota.
    """

    presets: tuple[dict[str, Any], ...]
    limit: int | None
    period_start: str
    period_end: str
    keys: tuple[str, ...]


def caller(key_id: str) -> Caller:
    """Return whose a key is. Raise NotPublished."""
    item = _item(f"key#{key_id}")
    return Caller(
        key_id=key_id,
        key_name=item["key_name"],
        tenant=item["tenant"],
        tenant_name=item["tenant_name"],
        plan=item["plan"],
    )


def account(tenant: str) -> Account:
    """Return what a tenant may do. Raise NotPublished."""
    item = _item(f"tenant#{tenant}")
    return Account(
        presets=tuple(json.loads(item["presets"])),
        limit=json.loads(item["limit"]),
        period_start=item["period_start"],
        period_end=item["period_end"],
        keys=tuple(json.loads(item["keys"])),
    )


def tenant_require(tenant: str) -> None:
    """Raise NotPublished where nothing is known of a tenant."""
    _item(f"tenant#{tenant}")


def _item(key: str) -> dict[str, Any]:
    now = time.monotonic()
    read_at, known = _known.get(key, (0.0, {}))
    if known and now - read_at < FRESH_SECONDS:
        return known
    # Consistent: what was published a moment ago is there.
    answer = table(os.environ["EDGE_TABLE"]).get_item(Key={"pk": key}, ConsistentRead=True)
    if "Item" not in answer:
        raise NotPublished(key)
    if len(_known) == MOST_KNOWN:
        _known.clear()
    item: dict[str, Any] = answer["Item"]
    _known[key] = (now, item)
    return item

"""API keys: create, read, list, patch, delete, as the control plane does it.

A value is unique in the account and shown only where it is asked for; names may repeat.
See https://docs.aws.amazon.com/apigateway/latest/api/API_CreateApiKey.html.
"""

import json
import re
import secrets
import sqlite3
import string
from typing import Any

from portal.local.aws.clock import Clock
from portal.local.aws.errors import BadRequest, Conflict, NotFound
from portal.local.aws.paging import Page, page_of
from portal.local.aws.plan_model import tags_of
from portal.local.aws.plan_patch import needed, patch_operations, refuse_patch
from portal.local.aws.store import Store

Json = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits
_PATHS = ("/name", "/description", "/enabled", "/customerId")


def new_id(length: int) -> str:
    """An identifier as API Gateway makes them: lower-case letters and digits."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


class Keys:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(self, body: Json) -> Json:
        """A new key, with its value. Raises BadRequest, or Conflict for a value that exists."""
        value = body.get("value") or "".join(secrets.choice(_ALPHABET) for _ in range(40))
        if not isinstance(value, str) or not 20 <= len(value) <= 128:
            raise BadRequest("API Key value should be between 20 and 128 characters")
        if not re.fullmatch(r"[\x21-\x7e]+", value):
            raise BadRequest("API Key value should consist of visible ASCII characters")
        if body.get("stageKeys"):
            raise BadRequest("stageKeys are deprecated: use a usage plan")
        now = self._clock.time()
        row = {
            "id": new_id(10),
            "value": value,
            "name": str(body.get("name") or ""),
            "description": str(body.get("description") or ""),
            "customer_id": str(body.get("customerId") or ""),
            "enabled": bool(body.get("enabled", False)),
            "created": now,
            "updated": now,
            "tags": json.dumps(tags_of(body.get("tags"))),
        }
        columns = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        try:
            with self._store.transaction() as db:
                db.execute(f"INSERT INTO api_key ({columns}) VALUES ({marks})", row)  # noqa: S608
        except sqlite3.IntegrityError:
            raise Conflict("API Key already exists") from None
        return wire_key(self.row(row["id"]), with_value=True)

    def get(self, key_id: str, *, with_value: bool) -> Json:
        return wire_key(self.row(key_id), with_value=with_value)

    def row(self, key_id: object) -> sqlite3.Row:
        found = self._store.db.execute("SELECT * FROM api_key WHERE id = ?", (key_id,)).fetchone()
        if found is None:
            raise NotFound("Invalid API Key identifier specified")
        row: sqlite3.Row = found
        return row

    def find(self, page: Page, *, name: str, customer_id: str | None, with_values: bool) -> Json:
        """Keys whose names start with `name`, in the order of their ids."""
        rows = self._store.db.execute(
            "SELECT * FROM api_key WHERE id > ? AND substr(name, 1, length(?)) = ?"
            " AND (? IS NULL OR customer_id = ?) ORDER BY id LIMIT ?",
            (page.after, name, name, customer_id, customer_id, page.limit + 1),
        ).fetchall()
        return page_of(page, [wire_key(row, with_value=with_values) for row in rows])

    def patch(self, key_id: str, body: Json) -> Json:
        self.row(key_id)
        changes: Json = {}
        for op, path, value in patch_operations(body):
            if op != "replace" or path not in _PATHS:
                raise refuse_patch(op, path, _PATHS)
            if path == "/enabled":
                flag = needed(value, path).lower()
                if flag not in ("true", "false"):
                    raise BadRequest(f"Invalid value for {path}: use true or false")
                changes["enabled"] = flag == "true"
            else:
                column = "customer_id" if path == "/customerId" else path[1:]
                changes[column] = value or ""
        changes["updated"] = self._clock.time()
        assignments = ", ".join(f"{column} = :{column}" for column in changes)
        with self._store.transaction() as db:
            db.execute(
                f"UPDATE api_key SET {assignments} WHERE id = :id",  # noqa: S608
                {**changes, "id": key_id},
            )
        return wire_key(self.row(key_id), with_value=False)

    def delete(self, key_id: str) -> None:
        self.row(key_id)
        with self._store.transaction() as db:
            db.execute("DELETE FROM api_key WHERE id = ?", (key_id,))


def wire_key(row: sqlite3.Row, *, with_value: bool) -> Json:
    document: Json = {
        "id": row["id"],
        "name": row["name"],
        "enabled": bool(row["enabled"]),
        "createdDate": int(row["created"]),
        "lastUpdatedDate": int(row["updated"]),
        "stageKeys": [],
        "tags": json.loads(row["tags"]),
    }
    if with_value:
        document["value"] = row["value"]
    if row["description"]:
        document["description"] = row["description"]
    if row["customer_id"]:
        document["customerId"] = row["customer_id"]
    return document

"""Idempotency keys: the first answer is kept for 24 hours and replayed.

The answer is written in the transaction that did the work, so a crash leaves both or neither. See
https://docs.stripe.com/api/idempotent_requests: a request that was malformed, or that met another
one under the same key, has not begun, and is not remembered.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import ApiError
from .store import Transaction

_KEPT = 24 * 3600
_MAX_LENGTH = 255


class InFlight:
    """The keys that are being worked on right now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def claim(self, key: str | None) -> Iterator[None]:
        """Raises ApiError (409) if another request holds the key."""
        if key is None:
            yield
            return
        if not 0 < len(key) <= _MAX_LENGTH:
            raise ApiError(f"An idempotency key has 1 to {_MAX_LENGTH} characters.")
        with self._lock:
            if key in self._keys:
                raise ApiError(
                    "There is currently another in-progress request using this Idempotency Key. "
                    "Please try again later.",
                    status=409,
                    type="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def fingerprint(method: str, path: str, params: dict[str, Any]) -> str:
    content = json.dumps([method, path, params], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def recall(tx: Transaction, key: str, mark: str) -> tuple[int, Any, str] | None:
    """The kept (status, body, request id), if any. Raises ApiError for another request's key."""
    tx.db.execute("DELETE FROM answers WHERE created <= ?", (tx.now - _KEPT,))
    row = tx.db.execute(
        "SELECT fingerprint, status, body, request_id FROM answers WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    if row[0] != mark:
        raise ApiError(
            "Keys for idempotent requests can only be used with the same endpoint and parameters "
            f"they were first used with. Try using a key other than '{key}' if you meant to "
            "execute a different request.",
            type="idempotency_error",
        )
    return row[1], json.loads(row[2]), row[3]


def remember(
    tx: Transaction, *, key: str, mark: str, status: int, body: Any, request_id: str
) -> None:
    """Keep the first answer, to be committed together with what it reports."""
    tx.db.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)",
        (key, mark, status, json.dumps(body, ensure_ascii=False), request_id, tx.now),
    )

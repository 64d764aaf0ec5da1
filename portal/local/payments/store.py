"""Everything the server knows: Stripe objects as JSON documents in one SQLite file.

One transaction per request holds what the request changed, the events this caused, their pending
webhook deliveries and the answer kept for the idempotency key; `kill -9` leaves all of it or none.
Writers wait for each other on one lock: this server is a stand-in, and order makes it predictable.

Fields whose names begin with an underscore are the server's own notes and never leave it.
"""

import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .errors import missing

Object = dict[str, Any]

API_VERSION = "2026-10-28.endive"  # what the stripe SDK in our lock file speaks

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_customer ON objects (kind, json_extract(body, '$.customer'));
CREATE INDEX IF NOT EXISTS objects_open_sessions ON objects (json_extract(body, '$.expires_at'))
    WHERE kind = 'checkout.session' AND json_extract(body, '$.status') = 'open';
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    created INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    forced INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL NOT NULL,
    outcome TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS due (
    id TEXT PRIMARY KEY,
    outcome TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS due_at ON due (at);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

# what an event says that no request caused
NOBODY: dict[str, str | None] = {"id": None, "idempotency_key": None}
_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def public(document: Object) -> Object:
    """A copy without the server's own notes."""
    return {key: value for key, value in document.items() if not key.startswith("_")}


class Transaction:
    """What one request reads and writes. `now` is the server's clock, in Unix seconds."""

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        now: int,
        origin: str,
        delivering: bool,
        request_id: str | None,
        idempotency_key: str | None,
    ) -> None:
        self.db = db
        self.now = now
        self.origin = origin
        self.request = {"id": request_id, "idempotency_key": idempotency_key}
        self.has_news = False
        self._delivering = delivering

    def find(self, kind: str, id: str) -> Object | None:
        row = self.db.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", (id, kind)
        ).fetchone()
        found: Object | None = json.loads(row[0]) if row else None
        return found

    def find_any(self, id: str | None) -> Object | None:
        """The object of that id, of whatever kind."""
        row = self.db.execute("SELECT body FROM objects WHERE id = ?", (id,)).fetchone()
        found: Object | None = json.loads(row[0]) if row else None
        return found

    def get(self, kind: str, id: str, *, param: str = "id") -> Object:
        """Raises ApiError: 404 if the address named it, 400 if a parameter did."""
        found = self.find(kind, id)
        if found is None:
            raise missing(kind, id, param=param, status=404 if param == "id" else 400)
        return found

    def save(self, document: Object) -> None:
        self.db.execute(
            "INSERT INTO objects (id, kind, body) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (document["id"], document["object"], json.dumps(document, ensure_ascii=False)),
        )

    def remove(self, id: str) -> None:
        self.db.execute("DELETE FROM objects WHERE id = ?", (id,))

    def select(
        self,
        kind: str,
        *,
        equal: Mapping[str, Any] | None = None,
        ranges: Mapping[str, Mapping[str, int]] | None = None,
        any_of: Mapping[str, list[str]] | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int | None = None,
    ) -> list[Object]:
        """Objects, newest first. `after` and `before` are ids that the result must lie beyond;
        with `before`, the ones nearest to it are returned. Values of `any_of` may hold `*`. Field
        names come from our own code, never from a request."""
        where, values = ["kind = ?"], [kind]
        for name, value in (equal or {}).items():
            where.append(f"json_extract(body, '$.{name}') = ?")
            values.append(value)
        for name, bounds in (ranges or {}).items():
            for bound, moment in bounds.items():
                operator = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[bound]
                where.append(f"json_extract(body, '$.{name}') {operator} {int(moment)}")
        for name, choices in (any_of or {}).items():
            tests = [f"json_extract(body, '$.{name}') GLOB ?"] * len(choices)
            where.append(f"({' OR '.join(tests)})")
            values.extend(choices)
        for id, operator in ((after, "<"), (before, ">")):
            if id is not None:
                where.append(f"seq {operator} (SELECT seq FROM objects WHERE id = ?)")  # noqa: S608
                values.append(id)
        order = "ASC" if before is not None else "DESC"
        sql = f"SELECT body FROM objects WHERE {' AND '.join(where)} ORDER BY seq {order}"  # noqa: S608
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        found = [json.loads(row[0]) for row in self.db.execute(sql, values)]
        return found[::-1] if before is not None else found

    def later(self, id: str, outcome: str, *, after: int) -> None:
        """Note what will happen to an object so many seconds from now; one thing at a time."""
        self.db.execute(
            "INSERT OR REPLACE INTO due VALUES (?, ?, ?)", (id, outcome, self.now + after)
        )

    def never(self, id: str) -> None:
        """Forget what was to happen to an object."""
        self.db.execute("DELETE FROM due WHERE id = ?", (id,))

    def due(self) -> list[tuple[str, str]]:
        """The ids of objects whose time has come, and what is to happen to them."""
        rows = self.db.execute(
            "SELECT id, outcome FROM due WHERE at <= ? ORDER BY at, rowid", (self.now,)
        )
        return rows.fetchall()

    def emit(self, type: str, document: Object, previous: Object | None = None) -> None:
        """Record an event about `document` as it is now, and queue it for the webhook."""
        data: Object = {"object": public(document)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("evt_"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": int(self._delivering),
            "request": self.request,
            "type": type,
        }
        self.save(event)
        if self._delivering:
            self.db.execute(
                "INSERT INTO deliveries (event, due_at) VALUES (?, ?)", (event["id"], time.time())
            )
            self.has_news = True


class Store:
    """The file. `delivering` says whether events are for a webhook too; `on_news` is called after a
    commit that queued one."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self.origin = ""
        self.delivering = False
        self.on_news: Callable[[], None] = lambda: None
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            state_dir / "payments.sqlite3", check_same_thread=False, isolation_level=None
        )
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(
        self, *, request_id: str | None = None, idempotency_key: str | None = None
    ) -> Iterator[Transaction]:
        """Committed when the block ends, rolled back when it raises."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                tx = Transaction(
                    self._db,
                    now=self._now(),
                    origin=self.origin,
                    delivering=self.delivering,
                    request_id=request_id,
                    idempotency_key=idempotency_key,
                )
                yield tx
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        if tx.has_news:
            self.on_news()

    def _now(self) -> int:
        pinned = self.setting("clock")
        moment = datetime.fromisoformat(pinned) if pinned else datetime.now(UTC)
        return int(moment.timestamp())

    def setting(self, name: str) -> str | None:
        """A test control that outlives a restart, such as the pinned clock."""
        with self._lock:
            row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_setting(self, name: str, value: str | None) -> None:
        with self._lock:
            if value is None:
                self._db.execute("DELETE FROM settings WHERE name = ?", (name,))
            else:
                self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

"""The one small SQLite file that keeps keys, plans and counters, and what deployments serve.

It is written through: a call is committed before it is answered. In WAL mode a commit is handed to
the operating system, so it survives `kill -9`; with `synchronous=NORMAL` it is not forced to the
disk each time, so a power cut may lose the last moments, never the file's integrity.
The exclusive lock makes a second server on the same directory fail at start instead of miscounting.

`usage_day` is history and counter in one: `used` of that day, and what `remaining` was at its end.
`spent` is what was used since the counter was last fresh (period start or attachment), and `pinned`
says that UpdateUsage has set `remaining` in this period. Days count from 1970-01-01, UTC.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS api_key (
    id TEXT PRIMARY KEY,
    value TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    tags TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS usage_plan (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS plan_key (
    plan_id TEXT NOT NULL REFERENCES usage_plan (id) ON DELETE CASCADE,
    key_id TEXT NOT NULL REFERENCES api_key (id) ON DELETE CASCADE,
    PRIMARY KEY (plan_id, key_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS plan_key_key ON plan_key (key_id);
CREATE TABLE IF NOT EXISTS usage_day (
    plan_id TEXT NOT NULL REFERENCES usage_plan (id) ON DELETE CASCADE,
    key_id TEXT NOT NULL,
    day INTEGER NOT NULL,
    used INTEGER NOT NULL,
    remaining INTEGER,
    spent INTEGER NOT NULL,
    pinned INTEGER NOT NULL,
    PRIMARY KEY (plan_id, key_id, day)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deployment (
    api_id TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (api_id, id)
);
"""


class StateInUse(Exception):
    """Another server has this state directory."""


class Store:
    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises StateInUse."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, isolation_level=None, timeout=0, cached_statements=256)
        self.db.row_factory = sqlite3.Row
        try:
            self.db.execute("PRAGMA page_size=1024")
            self.db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.execute("PRAGMA foreign_keys=ON")
            self.db.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            self.db.close()
            if "locked" not in str(error):
                raise
            message = f"{path.parent} is in use by another local AWS: stop it, or choose --state"
            raise StateInUse(message) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; never held across an await."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def close(self) -> None:
        self.db.close()

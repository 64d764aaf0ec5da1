"""A database beside the tests' own, for the processes of a running installation."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg


@contextmanager
def database_of_its_own() -> Iterator[None]:
    """Where DATABASE_URL means PostgreSQL, point it at a new database for the time being.

    SQLite needs nothing: its file is in the installation's own VAR_DIR.
    """
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith(("postgres://", "postgresql://")):
        os.environ.pop("DATABASE_URL", None)
        yield
        if url:
            os.environ["DATABASE_URL"] = url
        return
    name = f"sekisho_browser_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{name}").geturl()
        try:
            yield
        finally:
            os.environ["DATABASE_URL"] = url
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

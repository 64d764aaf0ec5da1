"""What Django's ORM has no words for: rows made of rows, a UUID as text, and many rows fast."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BooleanField,
    CharField,
    ForeignKey,
    Func,
    IntegerField,
    JSONField,
    Model,
    QuerySet,
)
from django.db.models.sql.compiler import SQLCompiler


class Dashed(Func):
    """A UUID as postings' keys have it, with dashes. SQLite keeps it without."""

    output_field = CharField()

    template = "(%(expressions)s)::text"

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        parts = "||'-'||".join(
            f"substr(%(expressions)s, {start}, {length})"
            for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        )
        return self.as_sql(compiler, connection, template=f"({parts})", **more)


def insert_from(model: type[Model], *, rows: QuerySet[Any, Any], **values: Any) -> None:
    """Insert a row of `model` for each of `rows`, in the database and in one statement.

    `values` are expressions over them, by field; all that has no default of the database's own.
    """
    selected, parameters = rows.order_by().values_list(*values.values()).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {_into(model, values)} {selected}", parameters)


def rows_insert(
    model: type[Model], *, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows of `model`: tuples of what its fields have, in the order of the `columns`.

    Those are fields' attnames: all that have no default of the database's own. The database checks
    the rows as ever, and django.db.IntegrityError is raised as by bulk_create. That asks every
    field of every row several times over, and writes the answers as SQL: it was half of a close.
    Here a column asks once per value, and the driver writes: one statement for all rows on SQLite,
    COPY on PostgreSQL. New ids are not told.
    """
    adapters = [_adapter(model._meta.get_field(name)) for name in columns]
    by_column = [
        values if adapt is None else map(adapt, values)
        for adapt, values in zip(adapters, zip(*rows, strict=True), strict=False)
    ]
    if not by_column:  # there are no rows
        return
    adapted = list(zip(*by_column, strict=True))
    into = _into(model, columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in adapted:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {into} VALUES ({marks})", adapted)  # noqa: S608


def _adapter(field: Any) -> Callable[[Any], Any] | None:
    """Return what makes of a field's value what the driver takes; None where it takes it as is."""
    if isinstance(field, _AS_IT_IS):
        return None

    def adapt(value: Any) -> Any:
        return field.get_db_prep_save(value, connection)

    return _cache_by_identity(adapt) if isinstance(field, JSONField) else cache(adapt)


def _cache_by_identity(adapt: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """As functools.cache, for dicts, which have no hash; the rows keep them alive meanwhile."""
    adapted: dict[int, Any] = {}

    def adapt_once(value: Any) -> Any:
        if id(value) not in adapted:
            adapted[id(value)] = adapt(value)
        return adapted[id(value)]

    return adapt_once


_AS_IT_IS = (BooleanField, CharField, ForeignKey, IntegerField)


def _into(model: type[Model], names: Iterable[str]) -> str:
    """Return a model's table and the columns of these fields, as SQL."""
    quoted = connection.ops.quote_name
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    columns = ", ".join(quoted(field.column) for field in fields)
    return f"{quoted(model._meta.db_table)} ({columns})"

"""What Django's ORM has no words for: rows made of rows, and a UUID as text, on both databases."""

from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Func, Model, QuerySet
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
    column = {field.name: field.column or "" for field in model._meta.concrete_fields}
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(column[name]) for name in values)
    selected, parameters = rows.order_by().values_list(*values.values()).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) {selected}", parameters
        )

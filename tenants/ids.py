"""A thousand ids as one parameter: `filter(pk__in=Ids(ids))`.

Django looks at each id of a plain list several times over, and writes a placeholder for it. That
was a quarter of the close of a month.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Expression
from django.db.models.sql.compiler import SQLCompiler


class Ids(Expression):
    """A subquery of these whole numbers, for the right side of `__in`.

    As with a list, the database is not asked where there are none.
    """

    output_field = BigIntegerField()

    def __init__(self, ids: Iterable[int]) -> None:
        super().__init__()
        self.ids = list(ids)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_more: Any
    ) -> Any:
        return "(SELECT value FROM json_each(%s))", [json.dumps(self._some)]

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_more: Any
    ) -> Any:
        return "(SELECT unnest(%s::bigint[]))", [self._some]

    @property
    def _some(self) -> list[int]:
        if not self.ids:
            raise EmptyResultSet
        return self.ids

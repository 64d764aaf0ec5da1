"""Lists that grow without end, a page at a time, newest first.

A page begins behind a row, so that rows that come or go neither double nor hide others.
"""

from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)
Place = tuple[datetime, int]  # a row's moment, and its primary key: several have the same moment


def page_behind(
    rows: QuerySet[Row], *, at: str, behind: Place | None, count: int
) -> tuple[list[Row], Row | None]:
    """Return up to `count` rows, newest by the moment `at` first, and the one that the next page
    begins behind; None where there is no next page.
    """
    if behind is not None:
        moment, pk = behind
        rows = rows.filter(Q(**{f"{at}__lt": moment}) | Q(**{at: moment, "pk__lt": pk}))
    found = list(rows.order_by(f"-{at}", "-pk")[: count + 1])
    return found[:count], found[count - 1] if len(found) > count else None

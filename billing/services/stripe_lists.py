"""Stripe's lists are read a page at a time, and of each page what we lack is stored: so memory
stays flat, and a run that dies has kept what it read. How far that was is in cursors.py.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

from django.db import models

PAGE = 100  # the most that Stripe lists at once


class Listed(Protocol):
    """What Stripe lists: each has an id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Listed)
M = TypeVar("M", bound=models.Model)


def missing_store(
    entries: Iterator[T],
    *,
    rows: "models.QuerySet[M]",
    key: str,
    row: Callable[[T], M],
    dry_run: bool,
    progress: Callable[[int], None],
) -> Iterator[tuple[int, list[T]]]:
    """Store those of `entries` that are not among `rows`; yield how many were read so far, and
    what of the page was missing.

    `key` is the column of Stripe's id, `row` makes a row of an entry. `progress` is told how many
    were read as well. In a dry run nothing is written. Raise PaymentError.
    """
    read = 0
    while page := list(islice(entries, PAGE)):
        ids = [entry.id for entry in page]
        known = set(rows.filter(**{f"{key}__in": ids}).values_list(key, flat=True))
        missing = [entry for entry in page if entry.id not in known]
        if not dry_run:  # what came meanwhile, by a webhook or another run, is there already
            rows.bulk_create([row(entry) for entry in missing], ignore_conflicts=True)
        read += len(page)
        progress(read)
        yield read, missing

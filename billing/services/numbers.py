"""Invoices' numbers: without gaps, per year of the issuer's time zone.

The counter's row is locked last, in the transaction that issues: a rolled-back issue gives its
numbers back.
"""

from datetime import datetime

from billing.models import InvoiceCounter
from billing.tax_tables import issuer_day


def numbers_take(*, count: int, now: datetime) -> tuple[int, int]:
    """Take so many numbers that follow each other; return the year, and the first of them.

    The year is that of the issuer's time zone. A transaction that is rolled back gives them back.
    """
    year = issuer_day(now).year
    counter, _is_new = InvoiceCounter.objects.select_for_update().get_or_create(year=year)
    counter.last += count
    counter.save(update_fields=["last"])
    return year, counter.last - count + 1

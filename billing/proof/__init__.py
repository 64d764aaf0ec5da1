"""Proves the books: what the ledger says and what the rows say are compared, all in SQL.

findings.py   what a proof consists of
accounts.py   each account comes to what invoices, payments, refunds, disputes and orders come to
postings.py   each of those has its posting, over its amount, and each posting is of one of those
cash.py       cash at Stripe comes to Stripe's balance transactions, each of which is of something
age.py        and those are not too old to prove anything
invoices.py   invoices add up, count what came in, are numbered without gaps, and none is missing

So nothing can be forgotten, be there twice, or say something else.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import chain

from django.db import connection, transaction

from billing.proof.accounts import balances
from billing.proof.age import IN_TRANSIT_FOR, too_old, transit_check
from billing.proof.cash import cash, cash_checks, differences, fetched_until
from billing.proof.findings import Balance, Cash, Check, Difference, Proof
from billing.proof.invoices import invoice_checks
from billing.proof.postings import posting_checks

__all__ = ["Balance", "Cash", "Check", "Difference", "Proof", "prove"]


def prove(
    *, now: datetime | None = None, progress: Callable[[int], None] = lambda done: None
) -> Proof:
    """Return what the books say beside what the rows say, both of one moment.

    With `now` it also has to be of today: what is known of Stripe is two days old at most, and
    nothing is in transit for a week. `progress` is told how many checks are done.

    Call it outside of any transaction. It takes seconds for 100,000 invoices; on SQLite others
    wait with their writing.
    """
    with transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        until = fetched_until()
        found = differences(until, now - IN_TRANSIT_FOR if now else None)
        in_transit = [one for one in found if one.is_in_transit]
        checks = []
        for check in chain(
            posting_checks(),
            invoice_checks(),
            cash_checks(until, found),
            [transit_check(in_transit)] if now else [],
        ):
            checks.append(check)
            progress(len(checks))
        return Proof(
            list(balances()),
            checks,
            list(cash(found)),
            in_transit,
            until,
            too_old(until, now) if now else None,
        )

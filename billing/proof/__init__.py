"""Proves the books: what the ledger says and what the rows say are compared, all in SQL.

findings.py   what a proof consists of
accounts.py   each account comes to what invoices, payments, refunds, disputes and orders come to
postings.py   each of those has its posting, over its amount, and each posting is of one of those
cash.py       cash at Stripe comes to Stripe's balance transactions, each of which is of something
invoices.py   invoices add up, count what came in, are numbered without gaps, and none is missing

So nothing can be forgotten, be there twice, or say something else.
"""

from django.db import connection, transaction

from billing.proof.accounts import balances
from billing.proof.cash import cash, cash_checks, differences, fetched_until
from billing.proof.findings import Balance, Cash, Check, Difference, Proof
from billing.proof.invoices import invoice_checks
from billing.proof.postings import posting_checks

__all__ = ["Balance", "Cash", "Check", "Difference", "Proof", "prove"]


def prove() -> Proof:
    """Return what the books say beside what the rows say, both of one moment.

    Call it outside of any transaction. It takes seconds for 100,000 invoices; on SQLite others
    wait with their writing.
    """
    with transaction.atomic(durable=True):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        until = fetched_until()
        found = differences(until)
        return Proof(
            list(balances()),
            [*posting_checks(), *invoice_checks(), *cash_checks(until, found)],
            list(cash(found)),
            [one for one in found if one.is_in_transit],
            until,
        )

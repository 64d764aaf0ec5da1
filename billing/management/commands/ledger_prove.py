"""`manage.py ledger_prove`: compare the books with invoices, payments, refunds and orders."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.money import display
from billing.proof import Cash, prove

_SHOWN = 20  # of what is in transit


class Command(BaseCommand):
    help = "Prove that the ledger balances and agrees with all rows. Exits 1 where it does not."

    def handle(self, *args: Any, **options: Any) -> None:
        proof = prove()
        for balance in proof.balances:
            ledger, rows = (
                display(amount, balance.currency, language="en")
                for amount in (balance.ledger, balance.rows)
            )
            sign = "=" if balance.is_proved else "≠"
            self.stdout.write(
                f"{balance.currency}  {balance.account.value:<12}{ledger:>18}  {sign}  {rows:>18}"
            )
        for check in proof.checks:
            wrong = f"  {check.wrong:,} wrong: {', '.join(check.examples)}" if check.wrong else ""
            self.stdout.write(f"{check.count:>12,}  {check.what}{wrong}")
        for cash in proof.cash:
            self.stdout.write(_cash(cash))
        if proof.fetched_until:
            self.stdout.write(f"Stripe's transactions are known up to {proof.fetched_until:%F %R}.")
        for one in proof.in_transit[:_SHOWN]:
            amount = display(one.amount, one.currency, language="en")
            self.stdout.write(f"in transit  {one.payment_intent_id}  {amount}")
        if len(proof.in_transit) > _SHOWN:
            self.stdout.write(f"in transit  {len(proof.in_transit) - _SHOWN:,} more")
        if not proof.is_proved:
            raise CommandError("The books are not proved.")
        self.stdout.write("The books are proved.")


def _cash(cash: Cash) -> str:
    """Write what is at Stripe in a currency on a line."""
    books, transactions, transit, held, others = (
        display(amount, cash.currency, language="en")
        for amount in (cash.ledger, cash.transactions, cash.in_transit, cash.held, cash.others)
    )
    sign = "=" if cash.is_proved else "≠"
    rest = f"; {held} held back" if cash.held else ""
    rest += f"; {others} of others" if cash.others else ""
    return (
        f"{cash.currency}  at Stripe {books} {sign} {transactions} by its transactions"
        f" + {transit} in transit{rest}"
    )

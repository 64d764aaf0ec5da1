"""`manage.py ledger_prove`: compare the books with invoices, payments, refunds and orders."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.money import display
from billing.proof import prove


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
        if not proof.is_proved:
            raise CommandError("The books are not proved.")
        self.stdout.write("The books are proved.")

"""`manage.py ledger_prove`: compare the books with invoices, payments, refunds and orders."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing.management.runs import bar_of
from billing.money import display
from billing.proof import Balance, Cash, Check, Proof, prove

_SHOWN = 20  # of what is in transit


class Command(BaseCommand):
    help = (
        "Prove that the ledger balances and agrees with all rows, and with Stripe's transactions as"
        " they were fetched last. Writes nothing. Exits 1 where something differs."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        with bar_of("checks") as bar:
            proof = prove(now=now, progress=lambda done: bar.update(done - bar.n))
        self._write("Accounts: debits less credits, by the ledger and by the rows.")
        self._write(*map(_balance, proof.balances))
        self._write("", "Checks: how many there are, and what is wrong with them.")
        self._write(*map(_check, proof.checks))
        self._write("", "Cash at Stripe: by the ledger, and by Stripe's balance transactions.")
        self._write(*map(_cash, proof.cash))
        self._write(*_stripe(proof), "")
        if not proof.is_proved:
            raise CommandError("The books are not proved: see the lines with ≠.")
        self._write("The books are proved.")

    def _write(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)


def _sign(*, is_proved: bool) -> str:
    return "=" if is_proved else "≠"


def _balance(balance: Balance) -> str:
    """Write an account in a currency on a line."""
    ledger, rows = (
        display(amount, balance.currency, language="en")
        for amount in (balance.ledger, balance.rows)
    )
    sign = _sign(is_proved=balance.is_proved)
    return f"{balance.currency}  {balance.account.value:<12}{ledger:>18}  {sign}  {rows:>18}"


def _check(check: Check) -> str:
    """Write what was checked on a line."""
    sign, words = ("≠", check.complaint) if check.wrong else (" ", check.words)
    return f"{check.count:>12,}  {sign}  {words.english}"


def _cash(cash: Cash) -> str:
    """Write what is at Stripe in a currency on a line."""
    books, transactions, transit, held, others = (
        display(amount, cash.currency, language="en")
        for amount in (cash.ledger, cash.transactions, cash.in_transit, cash.held, cash.others)
    )
    rest = f"; {held} held back" if cash.held else ""
    rest += f"; {others} of others" if cash.others else ""
    return (
        f"{cash.currency}  at Stripe {books} {_sign(is_proved=cash.is_proved)} {transactions}"
        f" by its transactions + {transit} in transit{rest}"
    )


def _stripe(proof: Proof) -> list[str]:
    """Write up to when Stripe's side is known, and what is in transit."""
    lines = []
    if proof.too_old:
        lines.append(f"≠  {proof.too_old.english}")
    elif proof.fetched_until:
        lines.append(f"Stripe's transactions are known up to {proof.fetched_until:%F %R} UTC.")
    for one in proof.in_transit[:_SHOWN]:
        amount = display(one.amount, one.currency, language="en")
        lines.append(f"in transit  {one.payment_intent_id}  {amount}")
    if len(proof.in_transit) > _SHOWN:
        lines.append(f"in transit  {len(proof.in_transit) - _SHOWN:,} more")
    return lines

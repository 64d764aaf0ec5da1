"""What a proof consists of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_noop as _

from billing.models import Account
from billing.words import Words

SHOWN = 5  # examples of what is wrong


@dataclass(frozen=True)
class Balance:
    """An account in a currency, in minor units: by its entries, and by the rows."""

    currency: str
    account: Account
    ledger: int
    rows: int

    @property
    def is_proved(self) -> bool:
        return self.ledger == self.rows


@dataclass(frozen=True)
class Check:
    """Things of which each must be right: how many there are, how many are not, some of those.

    `what` they are is in words that are marked by gettext_noop, with the postings' `kind` in them.
    """

    what: str
    count: int
    wrong: int
    examples: tuple[str, ...] = ()
    kind: str = ""

    @classmethod
    def of(
        cls, what: str, rows: QuerySet[Any], wrong: QuerySet[Any], *, called: str, kind: str = ""
    ) -> "Check":
        """Count rows and the wrong ones among them, of which `called` is the name."""
        count = wrong.count()
        names = wrong.order_by("pk").values_list(called, flat=True)[:SHOWN] if count else ()
        return cls(what, rows.count(), count, tuple(str(name) for name in names), kind)

    @property
    def words(self) -> Words:
        return Words(self.what, {"kind": self.kind} if self.kind else {})

    @property
    def complaint(self) -> Words:
        """How many are wrong, and some of those."""
        if not self.examples:
            return Words(_("%(what)s: %(wrong)d wrong"), {"what": self.words, "wrong": self.wrong})
        return Words(
            _("%(what)s: %(wrong)d wrong: %(examples)s"),
            {
                "what": self.words,
                "wrong": self.wrong,
                "examples": ", ".join(self.examples),
            },
        )


@dataclass(frozen=True)
class Difference:
    """How much more the books say of a PaymentIntent than Stripe, in minor units; in transit where
    what says so is newer than Stripe's transactions that we have, and overdue after a week.
    """

    payment_intent_id: str
    currency: str
    amount: int
    is_in_transit: bool
    is_overdue: bool = False

    def __str__(self) -> str:
        return f"{self.payment_intent_id} ({self.amount:+} {self.currency})"


@dataclass(frozen=True)
class Cash:
    """What is at Stripe in a currency, in minor units: by the books, by Stripe's transactions of
    what is ours, and in transit. `held` is what Stripe holds back of it, and does not count as its
    balance; `others` is what the transactions of nobody we know come to, and it does.
    """

    currency: str
    ledger: int
    transactions: int
    in_transit: int
    held: int
    others: int

    @property
    def is_proved(self) -> bool:
        return self.ledger == self.transactions + self.in_transit


@dataclass(frozen=True)
class Proof:
    """What was found. Stripe's transactions are known up to `fetched_until`, where they are;
    `too_old` says that this proves nothing of today.
    """

    balances: list[Balance]
    checks: list[Check]
    cash: list[Cash]
    in_transit: list[Difference]
    fetched_until: datetime | None
    too_old: Words | None

    @property
    def is_proved(self) -> bool:
        return (
            self.too_old is None
            and all(balance.is_proved for balance in self.balances)
            and all(cash.is_proved for cash in self.cash)
            and not any(check.wrong for check in self.checks)
        )

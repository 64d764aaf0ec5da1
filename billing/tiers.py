"""Graduated prices: pure, no database. Bounds are inclusive."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.money import rounded


@dataclass(frozen=True)
class Tier:
    """What is counted up to and including `up_to` (None: all else) costs `unit_amount` each.

    The amount is in minor units.
    """

    up_to: int | None
    unit_amount: Decimal


@dataclass(frozen=True)
class TierLine:
    """What one tier comes to; `amount` is rounded once, half up."""

    first: int
    last: int
    unit_amount: Decimal

    @property
    def quantity(self) -> int:
        return self.last - self.first + 1

    @property
    def amount(self) -> int:
        return rounded(self.quantity * self.unit_amount)


def lines(tiers: Sequence[Tier], used: int) -> list[TierLine]:
    """Return a line for each tier that a month's count reaches into. Tiers come in order."""
    result = []
    below = 0
    for tier in tiers:
        last = used if tier.up_to is None else min(used, tier.up_to)
        if last > below:
            result.append(TierLine(below + 1, last, tier.unit_amount))
            below = last
    return result


def price(tiers: Sequence[Tier], used: int) -> int:
    """Return what a month's count costs, in minor units."""
    return sum(line.amount for line in lines(tiers, used))

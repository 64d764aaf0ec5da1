"""Graduated prices: pure, no database. Bounds are inclusive."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

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


def most(tiers: Sequence[Tier], amount: int) -> int | None:
    """Return the largest count whose price is no more than `amount`; None where any count's is.

    It takes as long as there are tiers, however large the count: within one, the rounded price of
    q is no more than what is left as long as q × unit < left + 1/2.
    """
    below, left = 0, amount
    for tier in tiers:
        if tier.unit_amount:
            fits = math.ceil((left + Fraction(1, 2)) / Fraction(tier.unit_amount)) - 1
            if tier.up_to is None or fits < tier.up_to - below:
                return below + fits
            left -= rounded((tier.up_to - below) * tier.unit_amount)
        if tier.up_to is None:
            return None
        below = tier.up_to
    return None

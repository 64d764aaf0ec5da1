"""Lines of invoices to be, before tax: what a page, an order and an invoice agree on."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import LineGroup
from billing.taxes import Taxation


@dataclass(frozen=True)
class Line:
    """A line to be. `unit_amount` and `amount` in minor units, before tax; the amount is rounded
    already. `taxation` is given where it is not the buyer's of today, as for an earlier month.
    """

    description: str
    quantity: int
    unit_amount: Decimal
    amount: int
    group: LineGroup = LineGroup.FEE
    taxation: Taxation | None = None

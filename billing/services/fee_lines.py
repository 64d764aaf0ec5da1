"""Invoice lines of fees, in the language that is active: whole months, days of one, setup."""

from decimal import Decimal

from django.utils.translation import gettext as _

from billing.lines import Line
from billing.models import LineGroup, Plan, PriceVersion
from billing.proration import Share


def month_line(plan: Plan, share: Share) -> Line:
    """Return the line of a month's fee, or of the days of it that are billed."""
    if share.days < share.of:
        return days_line(plan, share)
    description = _("%(plan)s, %(month)s") % {
        "plan": plan.name,
        "month": f"{share.start:%Y-%m}",
    }
    return Line(description, 1, Decimal(share.amount), share.amount)


def days_line(plan: Plan, share: Share, group: LineGroup = LineGroup.FEE) -> Line:
    """Return the line of some days' fee."""
    description = _("%(plan)s, %(left)d of %(days)d days") % {
        "plan": plan.name,
        "left": share.days,
        "days": share.of,
    }
    return Line(description, 1, Decimal(share.amount), share.amount, group)


def setup_line(plan: Plan, price: PriceVersion) -> Line:
    """Return the line of a plan's setup fee."""
    description = _("%(plan)s, setup") % {"plan": plan.name}
    return Line(description, 1, Decimal(price.setup_fee), price.setup_fee, LineGroup.SETUP)

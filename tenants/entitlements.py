"""What the plans that a tenant held give for a period: pure, no database."""

from fractions import Fraction

from tenants.models import PlanSpan
from tenants.periods import Period


def plan_requests(*, spans: list[PlanSpan], period: Period, paid_by_use: int = 0) -> int:
    """Return what the held plans give for a period: the larger of two sums, in requests.

    Prorated plans give quota x days held / days in the period, summed and rounded half up once.
    Plans that are not prorated (free ones) give their whole quota, but they never stack: neither
    with each other nor with a paid plan, or going back and forth would pay. An unlimited plan that
    was left gives no more than what was used under it, `paid_by_use`, on top: that is billed by
    use, and not to be taken from the next plan's quota.
    """
    prorated = Fraction(0)
    whole = 0
    for span in spans:
        start = max(span.starts_on, period.start)
        end = min(span.ends_on or period.end, period.end)
        plan = span.usage_plan
        if is_over_unlimited(span):
            continue
        if plan.is_prorated:
            prorated += Fraction(plan.quota_limit * max((end - start).days, 0), period.days)
        elif start < period.end and (end > period.start or span.starts_on >= period.start):
            whole = max(whole, plan.quota_limit)
    return max(int(prorated + Fraction(1, 2)), whole) + paid_by_use


def is_over_unlimited(span: PlanSpan) -> bool:
    """Say whether a tenant paid by use in a span, and left that plan."""
    return span.usage_plan.is_unlimited and span.ends_on is not None

"""How old the other side of a comparison may be: cash is not proved by what Stripe said last week.

Nothing is asked of an installation where no money was at Stripe before that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext_noop as _

from billing.models import Account, Entry
from billing.proof.findings import SHOWN, Check, Difference
from billing.words import Words

KNOWN_FOR = timedelta(days=2)  # what was fetched is; it is every night
IN_TRANSIT_FOR = timedelta(days=7)


def too_old(until: datetime | None, now: datetime) -> Words | None:
    """Say that Stripe's transactions, which are known up to `until`, are not what the books of
    `now` can be compared with; None where they are.
    """
    limit = now - KNOWN_FOR
    if until is not None and until >= limit:
        return None
    at_stripe = Entry.objects.filter(account=Account.STRIPE, posting__posted_at__lte=limit)
    if not at_stripe.exists():
        return None
    if until is None:
        return Words(_("Cash at Stripe was never compared: its transactions were not fetched yet."))
    return Words(
        _("Cash at Stripe was last compared up to %(until)s UTC, which is too long ago."),
        {"until": f"{until:%F %R}"},
    )


def transit_check(in_transit: Sequence[Difference]) -> Check:
    """Check that nothing is in transit for too long: a refund that nobody hears of, say."""
    overdue = [one for one in in_transit if one.is_overdue]
    return Check(
        _("PaymentIntents in transit for less than a week"),
        len(in_transit),
        len(overdue),
        tuple(map(str, overdue[:SHOWN])),
    )

"""Disputes that no event told of: Stripe's own list of them is read, and those that are not over
are asked about.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db.models import Q, QuerySet

from billing import payments
from billing.models import Dispute, StripeList
from billing.models.disputes import IS_UNSETTLED
from billing.payments import StripeDispute
from billing.services.cursors import cursor_move, cursor_reached
from billing.services.disputes import dispute_settle
from billing.services.intents import paid_by

log = structlog.get_logger(__name__)

OVERLAP = timedelta(days=1)  # a dispute may be listed later than it was made
LOOK_BACK = timedelta(days=180)  # the first time: cardholders have about 120 days


@dataclass
class DisputesRun:
    """The disputes that there was news of. `failed` maps an id to the reason."""

    news: list[StripeDispute] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def disputes_fetch(*, now: datetime, dry_run: bool = False) -> DisputesRun:
    """Note what is new of the disputes that were opened since this was done last, of those that are
    not over, and of those that were won and whose money is not back.

    Raise PaymentError where they cannot be listed; one that fails stops no other, and is taken
    again the next time. In a dry run nothing is noted.
    """
    run = DisputesRun()
    since = cursor_reached(StripeList.DISPUTES)
    since = since - OVERLAP if since else now - LOOK_BACK
    found = {one.id: one for one in payments.disputes_since(since=since)}
    reached = now
    for one in _news(found.values()):
        try:
            if not dry_run:
                dispute_settle(found=one, now=now)
        except Exception as error:
            _note_failure(run, one.id, error)
            reached = min(reached, one.opened_at)  # it is listed again
        else:
            run.news.append(one)
    for known in _unsettled().exclude(stripe_id__in=found):
        try:
            one = payments.dispute_get(dispute_id=known.stripe_id)
            if _is_news(known, one):
                if not dry_run:
                    dispute_settle(found=one, now=now)
                run.news.append(one)
        except Exception as error:
            _note_failure(run, known.stripe_id, error)
    if not dry_run:
        cursor_move(StripeList.DISPUTES, reached)
    return run


def _note_failure(run: DisputesRun, dispute_id: str, error: Exception) -> None:
    log.exception("dispute.not_settled", dispute=dispute_id)
    run.failed[dispute_id] = str(error)


def _unsettled() -> QuerySet[Dispute]:
    return Dispute.objects.filter(Q(closed_at=None) | IS_UNSETTLED)


def _news(found: Collection[StripeDispute]) -> list[StripeDispute]:
    """Return the disputes that are ours and not noted as they are, by two queries."""
    noted = Dispute.objects.in_bulk([one.id for one in found], field_name="stripe_id")
    ours = paid_by({one.payment_intent_id for one in found if one.id not in noted})
    return [
        one
        for one in found
        if (_is_news(noted[one.id], one) if one.id in noted else one.payment_intent_id in ours)
    ]


def _is_news(known: Dispute, found: StripeDispute) -> bool:
    noted = (known.status, known.withdrawn_at is not None, known.reinstated_at is not None)
    told = (found.status, found.withdrawn > 0, found.reinstated > 0)
    return noted != told or known.is_charge_refundable != found.is_charge_refundable

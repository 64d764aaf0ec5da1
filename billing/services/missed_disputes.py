"""Disputes that no event told of: Stripe's own list of them is read, and those that are not over
are asked about.
"""

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
from billing.services.intents import orders_of, payment_of

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
    for one in filter(_is_news, found.values()):
        try:
            if not dry_run:
                dispute_settle(found=one, now=now)
        except Exception as error:
            _note_failure(run, one.id, error)
            reached = min(reached, one.opened_at)  # it is listed again
        else:
            run.news.append(one)
    for dispute_id in _unsettled().exclude(stripe_id__in=found).values_list("stripe_id", flat=True):
        try:
            one = payments.dispute_get(dispute_id=dispute_id)
            if _is_news(one):
                if not dry_run:
                    dispute_settle(found=one, now=now)
                run.news.append(one)
        except Exception as error:
            _note_failure(run, dispute_id, error)
    if not dry_run:
        cursor_move(StripeList.DISPUTES, reached)
    return run


def _note_failure(run: DisputesRun, dispute_id: str, error: Exception) -> None:
    log.exception("dispute.not_settled", dispute=dispute_id)
    run.failed[dispute_id] = str(error)


def _unsettled() -> QuerySet[Dispute]:
    return Dispute.objects.filter(Q(closed_at=None) | IS_UNSETTLED)


def _is_news(found: StripeDispute) -> bool:
    """Say whether a dispute is ours, and not noted as it is."""
    known = Dispute.objects.filter(stripe_id=found.id).first()
    if known is None:
        intent_id = found.payment_intent_id
        return payment_of(intent_id) is not None or orders_of(intent_id).exists()
    noted = (known.status, known.withdrawn_at is not None, known.reinstated_at is not None)
    return noted != (found.status, found.withdrawn > 0, found.reinstated > 0)

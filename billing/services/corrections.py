"""Months that the gateway told otherwise after they were closed.

A figure that has settled anew becomes another revision of what was billed, with what the whole
month comes to by the price that the subscription had. The difference goes on the tenant's next
usage invoice (correction_lines.py). Where none is to come, or none could bear it, it is a
supplementary invoice, or credit notes (corrections_settle.py).
"""

from collections.abc import Collection
from datetime import UTC, datetime

import structlog
from django.db import transaction

from billing import tiers
from billing.capped import most_charged
from billing.dues import charged, month_before, month_of, usage_days
from billing.models import BilledUsage
from billing.services.close_read import TermsCache, subscriptions_locked
from billing.services.close_settle import settled
from billing.services.corrections_settle import corrections_settle
from billing.usage import usage_read
from tenants.models import Meter
from tenants.periods import Period

log = structlog.get_logger(__name__)

MONTHS = 3  # that are looked at again
BATCH = 1_000


def months_correct(*, now: datetime) -> int:
    """Note what has changed of the last months' usage; return how many revisions that is.

    What no usage invoice is to bear is billed, or given back.
    """
    month, noted = month_before(month_of(now.astimezone(UTC).date())), 0
    for _month in range(MONTHS):
        closed = BilledUsage.objects.filter(
            period_start=month.start, meter=Meter.REQUESTS, revision=0
        ).order_by("subscription_id")
        ids = list(closed.values_list("subscription_id", flat=True))
        for start in range(0, len(ids), BATCH):
            noted += _batch(ids[start : start + BATCH], month, now)
        month = month_before(month)
    corrections_settle(now=now)
    return noted


def _batch(ids: Collection[int], month: Period, now: datetime) -> int:
    try:
        return _batch_correct(ids, month, now)
    except Exception as error:
        if len(ids) == 1:
            log.exception("correction.failed", subscriptions=ids)
            return 0
        log.warning("correction.batch_failed", subscriptions=len(ids), error=str(error))
        return sum(_batch([pk], month, now) for pk in ids)


@transaction.atomic
def _batch_correct(ids: Collection[int], month: Period, now: datetime) -> int:
    subscriptions = subscriptions_locked(ids)
    latest: dict[int, BilledUsage] = {}
    for billed in BilledUsage.objects.filter(
        subscription__in=subscriptions, period_start=month.start, meter=Meter.REQUESTS
    ).order_by("revision"):
        latest[billed.subscription_id] = billed
    days = {
        subscription.pk: held
        for subscription in subscriptions
        if subscription.pk in latest and (held := usage_days(subscription, month))
    }
    looked_at = [subscription for subscription in subscriptions if subscription.pk in days]
    used = usage_read(days, looked_at, [Meter.REQUESTS])
    is_settled = settled(used, month_start=month.start)
    most = most_charged(subscriptions=looked_at, month=month)
    terms = TermsCache().get(billed.price_id for billed in latest.values())
    revisions = []
    for subscription in looked_at:
        before = latest[subscription.pk]
        figure = used[subscription.pk].by_meter.get(Meter.REQUESTS, 0)
        if subscription.pk in is_settled and figure != before.quantity:
            steps = terms[before.price_id].steps[Meter.REQUESTS]
            paid = charged(Meter.REQUESTS, figure, most.get(subscription.pk))
            revisions.append(
                BilledUsage(
                    subscription=subscription,
                    price_id=before.price_id,
                    meter=Meter.REQUESTS,
                    period_start=month.start,
                    revision=before.revision + 1,
                    quantity=figure,
                    forgiven=figure - paid,
                    amount=tiers.price(steps, paid),
                    noted_at=now,
                )
            )
    BilledUsage.objects.bulk_create(revisions)
    return len(revisions)

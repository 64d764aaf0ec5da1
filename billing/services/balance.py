"""Stripe's balance transactions: fetched, and what only they know is booked.

That a payment came in or went back is booked when it happens. A transaction adds what it cost, what
it was exchanged for where Stripe settles in another currency, and payouts:

    fee        Stripe -> fees
    payout     Stripe -> bank, and back where it failed
    exchange   Stripe -> exchange in the charge's currency, exchange -> Stripe in the settled one

so that each currency balances by itself, and what is at Stripe by the books is what Stripe says.
Only what is ours is booked: others may use the Stripe account too. What no event has told of, and
is by its metadata ours, is looked up once, however old it is. What Stripe holds back is ours still.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from billing import payments
from billing.models import (
    BalanceTransaction,
    Dispute,
    Order,
    Payment,
    PaymentMethod,
    PaymentState,
    Refund,
    RefundState,
    StripeList,
)
from billing.models.balance import DISPUTES, FEES, HOLDS, PAYOUTS, REFUNDS, is_by_us, source_is
from billing.payments import PayoutStatus, StripeTransaction
from billing.services.cursors import cursor_move, cursor_reached
from billing.services.ledger import transactions_post
from billing.services.look_ups import movement_settle, names_ours
from billing.services.stripe_lists import missing_store

log = structlog.get_logger(__name__)

OVERLAP = timedelta(days=1)  # a transaction may be listed later than it was made
SETTLES = timedelta(hours=1)  # and that much before now all are there
THE_BEGINNING = datetime(2011, 1, 1, tzinfo=UTC)  # Stripe's
_BATCH = 500


@dataclass
class BalanceRun:
    """What a run fetched, booked and looked up: how many. `failed` maps an id to the reason.

    `payouts_in_progress` are those of which Stripe has not settled yet what they paid out.
    """

    fetched: int = 0
    booked: int = 0
    looked_up: int = 0
    payouts_in_progress: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def balance_fetch(
    *, now: datetime, dry_run: bool = False, progress: Callable[[int], None] = lambda read: None
) -> BalanceRun:
    """Store Stripe's balance transactions since this was done last, and book them.

    Raise PaymentError. `progress` is told how many were read so far. In a dry run they are counted.
    """
    reached, run = cursor_reached(StripeList.BALANCE), BalanceRun()
    for _read, missing in missing_store(
        payments.transactions_since(since=reached - OVERLAP if reached else THE_BEGINNING),
        rows=BalanceTransaction.objects.all(),
        key="stripe_id",
        row=_row,
        dry_run=dry_run,
        progress=progress,
    ):
        run.fetched += len(missing)
    if dry_run:
        return run
    cursor_move(StripeList.BALANCE, now - SETTLES)
    _look_up(run, now)
    run.booked = _book(now)
    _payouts_note(run)
    return run


def _row(one: StripeTransaction) -> BalanceTransaction:
    return BalanceTransaction(
        stripe_id=one.id,
        type=one.type,
        currency=one.currency,
        amount=one.amount,
        fee=one.fee,
        net=one.net,
        source_id=one.source_id,
        source_currency=one.source_currency,
        source_amount=one.source_amount,
        payment_intent_id=one.payment_intent_id,
        names_ours=names_ours(one.metadata),
        created_at=one.created_at,
        available_on=one.available_on,
    )


def _ours() -> Q:
    """Return which transactions are of a payment that we know, or of the account itself."""
    intent = {"payment_intent_id": OuterRef("payment_intent_id")}
    paid = Payment.objects.filter(method=PaymentMethod.CARD, state=PaymentState.SUCCEEDED, **intent)
    is_known = Exists(paid) | Exists(Order.objects.filter(**intent))
    is_paid = ~Q(type__in=HOLDS) & ~Q(payment_intent_id="") & Q(is_known)
    return Q(type__in=(*PAYOUTS, *FEES)) | is_paid


def _look_up(run: BalanceRun, now: datetime) -> None:
    """Have Stripe tell what the transactions are of that no event has told of, each once.

    Their `type` does not say: a dispute's is an adjustment, and a failed refund's may be. A bank
    may turn a dispute long after it was lost: what it then reinstates is another one.
    """
    settled = Refund.objects.filter(stripe_id=OuterRef("source_id"))
    told = settled.exclude(state=RefundState.PENDING)
    told_that_it_failed = settled.filter(state=RefundState.FAILED)
    is_back = Q(amount__gt=0)  # a refund that failed, a dispute that is reinstated
    is_refund = (~is_back & ~Q(Exists(told))) | (is_back & ~Q(Exists(told_that_it_failed)))
    disputes = Dispute.objects.filter(stripe_id=OuterRef("source_id"))
    withdrawn = disputes.filter(withdrawn_at__isnull=False)
    reinstated = disputes.filter(reinstated_at__isnull=False)
    is_dispute = (~is_back & ~Q(Exists(withdrawn))) | (is_back & ~Q(Exists(reinstated)))
    is_charge = Q(type__in=("charge", "payment")) & ~_ours()
    untold = BalanceTransaction.objects.filter(
        (source_is(REFUNDS) & is_refund) | (source_is(DISPUTES) & is_dispute) | is_charge,
        is_by_us(),
        looked_up_at=None,
    )
    for row in untold.order_by("created_at", "id").iterator():
        try:
            movement_settle(
                source_id=row.source_id, payment_intent_id=row.payment_intent_id, now=now
            )
        except Exception as error:
            log.exception("balance.not_looked_up", transaction=row.stripe_id)
            run.failed[row.stripe_id] = str(error)
            continue
        BalanceTransaction.objects.filter(pk=row.pk).update(looked_up_at=now)
        run.looked_up += 1


def _book(now: datetime) -> int:
    """Book what is ours and not booked yet, in batches; return how many."""
    done = 0
    while True:
        with transaction.atomic():
            waiting = BalanceTransaction.objects.filter(_ours(), booked_at=None)
            batch = list(waiting.order_by("id").select_for_update(of=("self",))[:_BATCH])
            transactions_post(rows=batch, now=now)
            ids = [row.pk for row in batch]
            BalanceTransaction.objects.filter(pk__in=ids).update(booked_at=now)
        done += len(batch)
        if not batch:
            return done


def _payouts_note(run: BalanceRun) -> None:
    """Note on the transactions which payout paid them out, once Stripe knows all of those.

    That it has been noted is said last, by the payout's own transaction. Of a manual payout nobody
    knows which those are: only its own is noted.
    """
    unlisted = BalanceTransaction.objects.filter(type="payout", payout_id="")
    for row in unlisted.order_by("id"):
        try:
            status = payments.payout_status(payout_id=row.source_id)
            paid_out: Iterator[str] = iter(())
            if status == PayoutStatus.COMPLETED:
                paid_out = payments.transactions_of(payout_id=row.source_id)
            elif status != PayoutStatus.NOT_APPLICABLE:
                run.payouts_in_progress += 1
                continue
            while part := list(islice(paid_out, _BATCH)):
                rows = BalanceTransaction.objects.filter(stripe_id__in=part)
                rows.exclude(pk=row.pk).update(payout_id=row.source_id)
        except payments.PaymentError as error:
            run.failed[row.stripe_id] = str(error)
            continue
        BalanceTransaction.objects.filter(pk=row.pk).update(payout_id=row.source_id)

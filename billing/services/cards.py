"""Saved cards: kept as Checkout tells of them, chosen, removed, and told of before they expire.

To remove one is to say so first: from then on nobody charges it. A task detaches it at Stripe, and
a sweep does where that was lost.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from billing import payments
from billing.models import Customer, SavedCard
from tenants import queue
from tenants.errors import Refused
from tenants.models import Tenant
from tenants.permissions import Act
from tenants.services import mail_members

log = structlog.get_logger(__name__)

TOLD_BEFORE = timedelta(days=30)  # a card's last day


@transaction.atomic
def card_keep(*, tenant: Tenant, card: payments.Card, now: datetime) -> None:
    """Keep what may be shown of a card that Stripe saved; it is the one charged from now on.

    The same card saved before gives way to it: Checkout saves a card anew each time.
    """
    customer = Customer.objects.select_for_update().filter(tenant=tenant).first()
    if customer is None:
        return
    _saved, is_new = SavedCard.objects.get_or_create(
        stripe_id=card.payment_method_id,
        defaults={
            "customer": customer,
            "fingerprint": card.fingerprint,
            "brand": card.brand,
            "last_four": card.last_four,
            "exp_month": card.exp_month,
            "exp_year": card.exp_year,
            "saved_at": now,
        },
    )
    if not is_new:  # a late or doubled answer of Stripe's: what was chosen since stays
        return
    _default_set(customer, card.payment_method_id)
    if card.fingerprint:
        same = SavedCard.objects.filter(
            customer=customer, fingerprint=card.fingerprint, removed_at=None
        )
        for before in same.exclude(stripe_id=card.payment_method_id):
            _let_go(before, now)


@transaction.atomic
def card_make_default(*, card: SavedCard) -> None:
    """Charge this card from now on. Raise Refused for one that was removed."""
    customer = Customer.objects.select_for_update().get(pk=card.customer_id)
    if not SavedCard.objects.filter(pk=card.pk, removed_at=None).exists():
        raise Refused(_("This card was removed."))
    _default_set(customer, card.stripe_id)


@transaction.atomic
def card_remove(*, card: SavedCard, now: datetime) -> None:
    """Forget a card. Where it was the one charged, the newest of the others is."""
    customer = Customer.objects.select_for_update().get(pk=card.customer_id)
    card = SavedCard.objects.select_for_update().get(pk=card.pk)
    if card.removed_at is not None:
        return
    _let_go(card, now)
    if customer.payment_method_id == card.stripe_id:
        newest = SavedCard.objects.filter(customer=customer, removed_at=None).first()
        _default_set(customer, newest.stripe_id if newest else "")


def _default_set(customer: Customer, stripe_id: str) -> None:
    customer.payment_method_id = stripe_id
    customer.save(update_fields=["payment_method_id"])


def _let_go(card: SavedCard, now: datetime) -> None:
    card.removed_at = now
    card.save(update_fields=["removed_at"])
    queue.on_commit("billing.tasks.card_detach", card.pk, queue="default")


def card_detach(*, card: SavedCard) -> None:
    """Detach a removed card at Stripe; its row goes with it. Raise PaymentError."""
    if card.removed_at is None:
        return
    payments.card_detach(payment_method_id=card.stripe_id)
    card.delete()


def cards_detach() -> int:
    """Detach the removed cards that a lost task left; return how many. One stops no other."""
    done = 0
    for card in SavedCard.objects.filter(removed_at__isnull=False).order_by("removed_at", "id"):
        try:
            card_detach(card=card)
            done += 1
        except payments.PaymentError as error:
            log.warning("card.not_detached", card=card.pk, error=str(error))
        except Exception:
            log.exception("card.not_detached", card=card.pk)
    return done


def cards_expiring_tell(*, now: datetime) -> int:
    """Mail about the cards that are charged and soon expire, once per card; return how many.

    One tenant's failure stops no other's.
    """
    today = now.astimezone(UTC).date()
    until = today + TOLD_BEFORE
    charged = SavedCard.objects.filter(
        removed_at=None,
        stripe_id=F("customer__payment_method_id"),
        exp_year__gte=today.year,
        exp_year__lte=until.year,
    ).select_related("customer__tenant")
    told = 0
    for card in charged:
        try:
            if today <= _last_day(card) <= until:
                _expiry_tell(card, now)
                told += 1
        except Exception:
            log.exception("card.not_told_of", card=card.pk)
    return told


def _expiry_tell(card: SavedCard, now: datetime) -> None:
    mail_members(
        tenant=card.customer.tenant,
        act=Act.BUY,
        kind="billing.card_expires",
        key=f"card-expires:{card.stripe_id}",
        context={"brand": card.brand, "last_four": card.last_four, "expiry": card.expiry},
        now=now,
    )


def _last_day(card: SavedCard) -> date:
    """Return the last day that a card is good for: that of the month printed on it."""
    days = monthrange(card.exp_year, card.exp_month)[1]
    return date(card.exp_year, card.exp_month, days)

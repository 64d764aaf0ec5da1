"""Stripe's balance, as Stripe tells it: one row for each movement of money on it."""

from functools import reduce
from operator import or_

from django.db import models
from django.utils.translation import gettext_lazy as _

# https://docs.stripe.com/reports/balance-transaction-types
# Between Stripe and our bank.
PAYOUTS = ("payout", "payout_cancel", "payout_failure", "topup", "topup_reversal")
FEES = ("stripe_fee", "stripe_fx_fee", "tax_fee", "network_cost")
# Ours all the time, but out of reach.
HOLDS = (
    "payment_network_reserve_hold",
    "payment_network_reserve_release",
    "payout_minimum_balance_hold",
    "payout_minimum_balance_release",
    "reserve_hold",
    "reserve_release",
    "reserve_transaction",
    "reserved_funds",
)

# What a transaction is of, by how Stripe's id of that begins.
CHARGES = ("ch_", "py_")
REFUNDS = ("re_", "pyr_")
DISPUTES = ("du_", "dp_")


def source_is(prefixes: tuple[str, ...]) -> models.Q:
    """Return which transactions are of a thing whose id begins by one of these."""
    return reduce(or_, (models.Q(source_id__startswith=prefix) for prefix in prefixes))


def is_by_us() -> models.Q:
    """Return which transactions are of a PaymentIntent that we made, whatever we know of it."""
    same = BalanceTransaction.objects.filter(payment_intent_id=models.OuterRef("payment_intent_id"))
    return ~models.Q(payment_intent_id="") & models.Q(models.Exists(same.filter(names_ours=True)))


class BalanceTransaction(models.Model):
    """A movement of money at Stripe. It never changes; amounts are in minor units.

    `source_amount` is what moved in the currency of the charge, refund or dispute; where that is
    not the one that Stripe settles in, it was exchanged. `booked_at` is when its fee, its exchange
    or its payout was written to the books: once what it is of is ours. `looked_up_at` is when
    Stripe was asked what it is of, since no event had told. `names_ours` says whether its source
    names an order, invoice or refund in its metadata, as all that we make at Stripe does.
    `payout_id` is the payout that paid it out.
    """

    stripe_id = models.CharField(_("Stripe id"), max_length=120, unique=True)
    type = models.CharField(_("type"), max_length=60)
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount (minor units)"))
    fee = models.BigIntegerField(_("fee (minor units)"))
    net = models.BigIntegerField(_("net (minor units)"))
    source_id = models.CharField(_("source"), max_length=120, blank=True, db_index=True)
    source_currency = models.CharField(_("source's currency"), max_length=3)
    source_amount = models.BigIntegerField(_("source's amount (minor units)"))
    payment_intent_id = models.CharField(
        _("PaymentIntent"), max_length=120, blank=True, db_index=True
    )
    names_ours = models.BooleanField(_("names something of ours"), default=False)
    payout_id = models.CharField(_("payout"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("created at"))
    available_on = models.DateTimeField(_("available on"))
    booked_at = models.DateTimeField(_("booked at"), null=True)
    looked_up_at = models.DateTimeField(_("looked up at"), null=True)

    class Meta:
        verbose_name = _("balance transaction")
        verbose_name_plural = _("balance transactions")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(net=models.F("amount") - models.F("fee")),
                name="balance_transaction_adds_up",
            )
        ]
        indexes = [models.Index(fields=["id"], condition=models.Q(booked_at=None), name="unbooked")]

    def __str__(self) -> str:
        return self.stripe_id

    @property
    def cost(self) -> int:
        """What Stripe took for itself."""
        return self.fee - (self.amount if self.type in FEES else 0)

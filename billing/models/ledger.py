"""The ledger: double entry, per currency. Postings are only ever added.

Debits are above zero, credits below. What a posting is for is in its key, so that it is there once
however often it is written.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency
from billing.models.invoices import Invoice
from tenants.models import Tenant


class Account(models.TextChoices):
    """Where money is, or is owed. Stripe is the balance there; credit is what we owe tenants and
    they can spend, held what is on its way back to them. What Stripe exchanged is `exchange` in
    both currencies.
    """

    RECEIVABLE = "receivable", _("receivable")
    STRIPE = "stripe", _("cash at Stripe")
    BANK = "bank", _("cash at the bank")
    CREDIT = "credit", _("tenants' credit")
    HELD = "held", _("held to be paid back")
    REVENUE = "revenue", _("revenue")
    TAX = "tax", _("tax owed")
    FEES = "fees", _("Stripe's fees")
    DISPUTED = "disputed", _("disputed")
    EXCHANGE = "exchange", _("exchanged")
    LOSSES = "losses", _("written off")


class Posting(models.Model):
    """One event in the books. `key` says of what, e.g. "invoice:<uuid>" or "refund:<uuid>"."""

    key = models.CharField(_("key"), max_length=120, unique=True)
    tenant = models.ForeignKey(
        Tenant,
        null=True,
        on_delete=models.PROTECT,
        related_name="postings",
        verbose_name=_("tenant"),
    )
    invoice = models.ForeignKey(
        Invoice,
        null=True,
        on_delete=models.PROTECT,
        related_name="postings",
        verbose_name=_("invoice"),
    )
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    posted_at = models.DateTimeField(_("posted at"))

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        ordering = ["-posted_at", "-id"]

    def __str__(self) -> str:
        return self.key


class Entry(models.Model):
    """One side of a posting: so much, in minor units of its currency, on one account."""

    posting = models.ForeignKey(
        Posting,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,  # the constraint below begins with it
    )
    account = models.CharField(_("account"), max_length=10, choices=Account)
    amount = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        ordering = ["posting", "id"]
        constraints = [
            models.UniqueConstraint(fields=["posting", "account"], name="entry_once_per_account"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="entry_is_not_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.account}: {self.amount}"

"""Invoices. Once issued they never change, but for being paid; a correction is a credit note."""

from datetime import date, timedelta

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency, is_too_small
from billing.models.orders import Order
from billing.models.subscriptions import Subscription
from billing.uuids import uuid7
from tenants.models import Tenant


class InvoiceKind(models.TextChoices):
    """What an invoice bills. A subscription has one of fee and usage per month. A supplement bills
    what a closed month turned out to be, of a tenant who has left; others have a line for it.
    """

    FEE = "fee", _("monthly fee")
    USAGE = "usage", _("usage")
    ORDER = "order", _("purchase")
    SUPPLEMENT = "supplement", _("supplement")
    CREDIT_NOTE = "credit_note", _("credit note")


class LineGroup(models.TextChoices):
    """What a line is about. Lines are grouped by it, in this order."""

    FEE = "fee", _("monthly fee")
    SETUP = "setup", _("setup fee")
    PRORATION = "proration", _("change of plan")
    EXTENSION = "extension", _("quota extension")
    USAGE = "usage", _("usage")
    CORRECTION = "correction", _("correction of an earlier month")


class InvoiceState(models.TextChoices):
    """Drafts have no number. No invoice of zero is issued."""

    DRAFT = "draft", _("draft")
    OPEN = "open", _("open")
    PAID = "paid", _("paid")
    VOID = "void", _("void")
    UNCOLLECTIBLE = "uncollectible", _("written off")


class Invoice(models.Model):
    """One invoice. Amounts are in minor units of `currency`, below zero in a credit note; the
    period's end is not included.

    `amount_paid` is what came in so far, by cards, banks and credit, less what went back;
    `amount_credited` what its credit notes took off, tax included. Both may exceed the total: what
    is over is the tenant's credit. A credit note says in `corrects` which invoice it takes back,
    and is closed when it is issued.

    `note` is why one is not paid, in English (`waits_for`); of a credit note it is the reason, as
    an operator wrote it.

    `issuer` and `buyer` are frozen at issue. `year` and `sequence` make the number, gapless per
    year in the issuer's time zone.
    """

    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="invoices", verbose_name=_("tenant")
    )
    kind = models.CharField(_("kind"), max_length=11, choices=InvoiceKind)
    subscription = models.ForeignKey(
        Subscription,
        null=True,
        on_delete=models.PROTECT,
        related_name="invoices",
        db_index=False,  # the index below begins with it
        verbose_name=_("subscription"),
    )
    order = models.OneToOneField(
        Order, null=True, on_delete=models.PROTECT, related_name="invoice", verbose_name=_("order")
    )
    corrects = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="credit_notes",
        db_index=False,  # few have it: the index below is of those
        verbose_name=_("corrects"),
    )
    period_start = models.DateField(_("period from"))
    period_end = models.DateField(_("period until"))
    state = models.CharField(
        _("state"), max_length=13, choices=InvoiceState, default=InvoiceState.DRAFT
    )
    year = models.PositiveSmallIntegerField(_("year"), null=True)
    sequence = models.PositiveIntegerField(_("sequence"), null=True)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    subtotal = models.BigIntegerField(_("subtotal"))
    tax = models.BigIntegerField(_("tax"), default=0)
    total = models.BigIntegerField(_("total"))
    amount_paid = models.BigIntegerField(_("paid"), default=0)
    amount_credited = models.BigIntegerField(_("credited"), default=0)
    issuer = models.JSONField(_("issuer"), default=dict)
    buyer = models.JSONField(_("buyer"), default=dict)
    issued_at = models.DateTimeField(_("issued at"), null=True)
    due_on = models.DateField(_("due on"), null=True)
    paid_at = models.DateTimeField(_("paid at"), null=True)
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ["-issued_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["period_start", "subscription", "kind"],
                condition=models.Q(kind__in=[InvoiceKind.FEE, InvoiceKind.USAGE]),
                name="invoice_once_per_period_and_kind",
            ),
            models.UniqueConstraint(
                fields=["year", "sequence"],
                condition=models.Q(sequence__isnull=False),
                name="invoice_number",
            ),
            models.CheckConstraint(
                condition=models.Q(total=models.F("subtotal") + models.F("tax")),
                name="invoice_adds_up",
            ),
        ]
        indexes = [
            models.Index(fields=["period_start", "subscription"], name="invoice_of_subscription"),
            models.Index(
                fields=["corrects"],
                condition=models.Q(corrects__isnull=False),
                name="credit_note_of_invoice",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.pk}"

    @property
    def last_day(self) -> date:
        """The last UTC day of the period."""
        return self.period_end - timedelta(days=1)

    @property
    def number(self) -> str:
        """The number as printed, e.g. 2026-000012; empty for a draft."""
        return f"{self.year}-{self.sequence:06d}" if self.year and self.sequence else ""

    @property
    def state_label(self) -> str:
        """What people call its state; of a credit note nobody says that it is paid."""
        if self.kind == InvoiceKind.CREDIT_NOTE:
            return gettext("settled")
        return str(self.get_state_display())

    @property
    def waits_for(self) -> str:
        """Why it is not paid, in the language that is active; empty where there is nothing to say.

        The English sentence is its own code (billing/words.py); Stripe's own stays as it is.
        """
        return gettext(self.note) if self.note else ""

    @property
    def amount_due(self) -> int:
        """What is still to pay; below zero where more came in than was owed."""
        return self.total - self.amount_credited - self.amount_paid

    @property
    def is_too_small(self) -> bool:
        """Whether what is due is less than can be charged to a card."""
        return is_too_small(self.amount_due, self.currency)


class InvoiceLine(models.Model):
    """One line: what, how many, at what price. `amount` is rounded once, half up, before tax, and
    below zero where something is taken back. `tax_rate` is in percent.
    """

    invoice = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        related_name="lines",
        db_index=False,  # the constraint below begins with it
        verbose_name=_("invoice"),
    )
    position = models.PositiveSmallIntegerField(_("position"))
    group = models.CharField(_("group"), max_length=10, choices=LineGroup, default=LineGroup.FEE)
    description = models.CharField(_("description"), max_length=300)
    quantity = models.PositiveBigIntegerField(_("quantity"), default=1)
    unit_amount = models.DecimalField(_("unit price"), max_digits=16, decimal_places=4)
    amount = models.BigIntegerField(_("amount"))
    tax_rate = models.DecimalField(_("tax rate"), max_digits=5, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        ordering = ["invoice", "position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position")
        ]

    def __str__(self) -> str:
        return self.description


class InvoiceTax(models.Model):
    """The tax of one rate on an invoice, rounded once for all of its lines. Amounts in minor units.

    `country` is whose tax it is (ISO 3166-1 alpha-2); with a reverse charge, whose the buyer owes.
    `home_*` say the same in the issuer's own currency where the law wants it, by a rate (of one
    unit of the invoice's currency, not its minor one) of a day, from a source.
    """

    invoice = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        related_name="taxes",
        db_index=False,  # the constraint below begins with it
        verbose_name=_("invoice"),
    )
    country = models.CharField(_("country"), max_length=2)
    name = models.CharField(_("tax"), max_length=40)
    rate = models.DecimalField(_("rate (%)"), max_digits=5, decimal_places=2)
    is_reverse_charge = models.BooleanField(_("reverse charge"), default=False)
    net = models.BigIntegerField(_("net"))
    tax = models.BigIntegerField(_("amount of tax"))
    home_currency = models.CharField(_("home currency"), max_length=3, blank=True)
    home_tax = models.BigIntegerField(_("tax in home currency"), null=True)
    home_rate = models.DecimalField(
        _("rate of exchange"), max_digits=18, decimal_places=8, null=True
    )
    home_rate_on = models.DateField(_("rate of the day"), null=True)
    home_rate_source = models.CharField(_("source of the rate"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("tax of an invoice")
        verbose_name_plural = _("taxes of invoices")
        ordering = ["invoice", "-rate"]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "country", "rate", "is_reverse_charge"],
                name="invoice_tax_once_per_rate",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.rate} %"


class InvoiceCounter(models.Model):
    """The last number given in a year: locked last, in the transaction that issues."""

    year = models.PositiveSmallIntegerField(_("year"), unique=True)
    last = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("invoice counter")
        verbose_name_plural = _("invoice counters")

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"

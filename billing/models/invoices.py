"""Invoices. Once issued they never change, but for being paid; a correction is a credit note."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency
from billing.models.orders import Order
from billing.models.subscriptions import Subscription
from tenants.models import Tenant


class InvoiceKind(models.TextChoices):
    """What an invoice bills. A subscription has one of a kind per month."""

    FEE = "fee", _("monthly fee")
    USAGE = "usage", _("usage")
    ORDER = "order", _("purchase")


class InvoiceState(models.TextChoices):
    """Drafts have no number. No invoice of zero is issued."""

    DRAFT = "draft", _("draft")
    OPEN = "open", _("open")
    PAID = "paid", _("paid")
    VOID = "void", _("void")


class Invoice(models.Model):
    """One invoice. Amounts are in minor units of `currency`, below zero in a credit note; the
    period's end is not included.

    `issuer` and `buyer` are frozen at issue. `year` and `sequence` make the number, gapless per
    year in the issuer's time zone.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="invoices")
    kind = models.CharField(_("kind"), max_length=5, choices=InvoiceKind)
    subscription = models.ForeignKey(
        Subscription, null=True, on_delete=models.PROTECT, related_name="invoices"
    )
    order = models.OneToOneField(Order, null=True, on_delete=models.PROTECT, related_name="invoice")
    period_start = models.DateField(_("period from"))
    period_end = models.DateField(_("period until"))
    state = models.CharField(
        _("state"), max_length=5, choices=InvoiceState, default=InvoiceState.DRAFT
    )
    year = models.PositiveSmallIntegerField(_("year"), null=True)
    sequence = models.PositiveIntegerField(_("sequence"), null=True)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    subtotal = models.BigIntegerField(_("subtotal"))
    tax = models.BigIntegerField(_("tax"), default=0)
    total = models.BigIntegerField(_("total"))
    issuer = models.JSONField(_("issuer"), default=dict)
    buyer = models.JSONField(_("buyer"), default=dict)
    issued_at = models.DateTimeField(_("issued at"), null=True)
    paid_at = models.DateTimeField(_("paid at"), null=True)
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ["-issued_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "period_start", "kind"],
                condition=models.Q(subscription__isnull=False),
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

    def __str__(self) -> str:
        return self.number or f"draft {self.pk}"

    @property
    def number(self) -> str:
        """The number as printed, e.g. 2026-000012; empty for a draft."""
        return f"{self.year}-{self.sequence:06d}" if self.year and self.sequence else ""


class InvoiceLine(models.Model):
    """One line: what, how many, at what price. `amount` is rounded once, half up."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField(_("position"))
    description = models.CharField(_("description"), max_length=300)
    quantity = models.PositiveBigIntegerField(_("quantity"), default=1)
    unit_amount = models.DecimalField(_("unit price"), max_digits=16, decimal_places=4)
    amount = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        ordering = ["invoice", "position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position")
        ]

    def __str__(self) -> str:
        return self.description


class InvoiceCounter(models.Model):
    """The last number given in a year: locked last, in the transaction that issues."""

    year = models.PositiveSmallIntegerField(_("year"), unique=True)
    last = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("invoice counter")
        verbose_name_plural = _("invoice counters")

    def __str__(self) -> str:
        return f"{self.year}: {self.last}"


class UsageReading(models.Model):
    """A month's usage as the gateway last told it, and since which answer it is the same.

    A month is closed after two equal readings at least six hours apart (docs/billing.md).
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="+")
    period_start = models.DateField(_("period from"))
    requests = models.PositiveBigIntegerField(_("requests"))
    same_since = models.DateTimeField(_("same since"))

    class Meta:
        verbose_name = _("usage reading")
        verbose_name_plural = _("usage readings")
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "period_start"], name="usage_reading_per_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subscription} {self.period_start}: {self.requests}"

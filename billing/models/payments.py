"""Attempts to collect an invoice, and what Stripe told us."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency
from billing.models.invoices import Invoice


class PaymentState(models.TextChoices):
    """What became of an attempt."""

    PENDING = "pending", _("under way")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    NEEDS_ACTION = "needs_action", _("waits for the cardholder")


class Payment(models.Model):
    """One attempt to collect an invoice off-session. Written before Stripe is asked.

    A purchase's invoice is paid before it is issued: its payment is Checkout's, and the attempt
    the order's.

    Invoice and attempt make the idempotency key; a new attempt begins only after the last one was
    looked up and is over.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    state = models.CharField(
        _("state"), max_length=12, choices=PaymentState, default=PaymentState.PENDING
    )
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    payment_method_id = models.CharField(_("payment method"), max_length=80, blank=True)
    payment_intent_id = models.CharField(_("PaymentIntent"), max_length=120, blank=True)
    failure_code = models.CharField(_("failure code"), max_length=60, blank=True)
    failure_message = models.CharField(_("failure reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"))
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "attempt"], name="payment_attempt")
        ]

    def __str__(self) -> str:
        return f"{self.invoice} #{self.attempt}"

    @property
    def idempotency_key(self) -> str:
        return f"invoice-{self.invoice.uuid}-{self.attempt}"


class EventStatus(models.TextChoices):
    """Whether an event has been dealt with."""

    RECEIVED = "received", _("received")
    PROCESSED = "processed", _("processed")
    IGNORED = "ignored", _("not for us")
    FAILED = "failed", _("failed")


class StripeEvent(models.Model):
    """A webhook's event, stored once under Stripe's id for it. The object is fetched anew."""

    event_id = models.CharField(_("event id"), max_length=120, unique=True)
    type = models.CharField(_("type"), max_length=80)
    object_id = models.CharField(_("object"), max_length=120)
    status = models.CharField(
        _("status"), max_length=9, choices=EventStatus, default=EventStatus.RECEIVED
    )
    received_at = models.DateTimeField(_("received at"))
    processed_at = models.DateTimeField(_("processed at"), null=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ["-received_at", "-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

"""What came in, by whichever way, what went back, and what Stripe told us."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency
from billing.models.invoices import Invoice


class PaymentMethod(models.TextChoices):
    """How an invoice is paid. Credit is what we owe the tenant already."""

    CARD = "card", _("card")
    BANK = "bank", _("bank transfer")
    CREDIT = "credit", _("credit")


class PaymentState(models.TextChoices):
    """What became of an attempt."""

    PENDING = "pending", _("under way")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    NEEDS_ACTION = "needs_action", _("waits for the cardholder")


UNDER_WAY = frozenset({PaymentState.PENDING, PaymentState.NEEDS_ACTION})


class Payment(models.Model):
    """One payment of an invoice; by card, one attempt, written before Stripe is asked.

    A purchase's invoice is paid before it is issued: its payment is Checkout's, and the attempt
    the order's. An attempt of an open invoice that names no payment method is one at Checkout too,
    where its holder chooses a card. `reference` is the bank's for a transfer.

    Invoice and attempt make the idempotency key; a new attempt begins only after the last one was
    looked up and is over.
    """

    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, related_name="payments", verbose_name=_("invoice")
    )
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    method = models.CharField(
        _("method"), max_length=6, choices=PaymentMethod, default=PaymentMethod.CARD
    )
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    state = models.CharField(
        _("state"), max_length=12, choices=PaymentState, default=PaymentState.PENDING
    )
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    payment_method_id = models.CharField(_("payment method"), max_length=80, blank=True)
    checkout_session_id = models.CharField(_("Checkout Session"), max_length=120, blank=True)
    payment_intent_id = models.CharField(
        _("PaymentIntent"), max_length=120, blank=True, db_index=True
    )
    failure_code = models.CharField(_("failure code"), max_length=60, blank=True)
    failure_message = models.CharField(_("failure reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"))
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "attempt"], name="payment_attempt"),
            models.UniqueConstraint(
                fields=["reference"],
                condition=models.Q(method=PaymentMethod.BANK),
                name="payment_bank_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=["invoice"],
                condition=models.Q(state__in=[PaymentState.NEEDS_ACTION, PaymentState.PENDING]),
                name="payment_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"{self.invoice} #{self.attempt}"

    @property
    def idempotency_key(self) -> str:
        return f"invoice-{self.invoice.uuid}-{self.attempt}"


class RefundState(models.TextChoices):
    """What became of a refund."""

    PENDING = "pending", _("under way")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


class Refund(models.Model):
    """Money that goes back to a card, all of a payment or a part. Written before Stripe is asked.

    `amount` is in minor units of the payment's currency. A credit note took as much off the
    invoice, unless it was paid twice. `uuid` makes the idempotency key and is in Stripe's metadata.

    One that is `made_at_stripe`, in its dashboard say, is written once Stripe tells of it. Then
    `owed_back` is what of it we owed: the rest is a loss. What we pay back we owe, all of it.
    """

    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("payment")
    )
    credit_note = models.ForeignKey(
        Invoice,
        null=True,
        on_delete=models.PROTECT,
        related_name="refunds",
        verbose_name=_("credit note"),
    )
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    owed_back = models.PositiveBigIntegerField(_("owed already (minor units)"))
    made_at_stripe = models.BooleanField(_("made at Stripe"), default=False)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(
        _("state"), max_length=9, choices=RefundState, default=RefundState.PENDING
    )
    stripe_id = models.CharField(_("Stripe id"), max_length=120, blank=True)
    failure_message = models.CharField(_("failure reason"), max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created at"))
    settled_at = models.DateTimeField(_("settled at"), null=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stripe_id"], condition=~models.Q(stripe_id=""), name="refund_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.payment}: -{self.amount}"


class EventStatus(models.TextChoices):
    """Whether an event has been dealt with."""

    RECEIVED = "received", _("received")
    PROCESSED = "processed", _("processed")
    IGNORED = "ignored", _("ignored")
    FAILED = "failed", _("failed")


# Those that were not dealt with: few, while those of all time stay. Two comparisons, and not a list
# of both states: so SQLite knows that one of them is enough.
EVENT_LEFT = models.Q(status=EventStatus.RECEIVED) | models.Q(status=EventStatus.FAILED)


class EventSource(models.TextChoices):
    """How an event came to us."""

    WEBHOOK = "webhook", _("webhook")
    SWEEP = "sweep", _("found by the sweep")


class StripeEvent(models.Model):
    """An event, stored once under Stripe's id for it. The object is fetched anew.

    One that is not for us is ignored; one that failed may be, by an operator, who says why.
    """

    event_id = models.CharField(_("event id"), max_length=120, unique=True)
    type = models.CharField(_("type"), max_length=80)
    object_id = models.CharField(_("object"), max_length=120)
    source = models.CharField(
        _("source"), max_length=7, choices=EventSource, default=EventSource.WEBHOOK
    )
    status = models.CharField(
        _("status"), max_length=9, choices=EventStatus, default=EventStatus.RECEIVED
    )
    received_at = models.DateTimeField(_("received at"))
    processed_at = models.DateTimeField(_("processed at"), null=True)
    error = models.TextField(_("error"), blank=True)
    ignored_reason = models.CharField(_("why it is ignored"), max_length=200, blank=True)
    ignored_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("ignored by"),
    )

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
        ordering = ["-received_at", "-id"]
        indexes = [models.Index(fields=["id"], condition=EVENT_LEFT, name="event_left")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

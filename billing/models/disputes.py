"""Payments that their cardholders dispute."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency
from billing.models.orders import Order
from billing.models.payments import Payment


class DisputeStatus(models.TextChoices):
    """What Stripe says of a dispute. An inquiry takes no money, and may become a dispute."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response", _("inquiry, to be answered")
    WARNING_UNDER_REVIEW = "warning_under_review", _("inquiry, answered")
    WARNING_CLOSED = "warning_closed", _("inquiry, closed")
    NEEDS_RESPONSE = "needs_response", _("to be answered")
    UNDER_REVIEW = "under_review", _("answered")
    PREVENTED = "prevented", _("prevented")
    WON = "won", _("won")
    LOST = "lost", _("lost")


# Evidence is asked for, by `evidence_due_by`.
ASKED = (DisputeStatus.WARNING_NEEDS_RESPONSE, DisputeStatus.NEEDS_RESPONSE)
UNDECIDED = (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)
OVER = (
    DisputeStatus.WARNING_CLOSED,
    DisputeStatus.PREVENTED,
    DisputeStatus.WON,
    DisputeStatus.LOST,
)


class Dispute(models.Model):
    """A dispute as Stripe last told it: of a payment, or of an order that has no invoice.

    Amounts are in minor units of the payment's currency. Money that was withdrawn is `disputed`,
    until it is reinstated or lost; `reinstated` is less than `amount` where it was won in part.
    `owed_back` is what we owed the payer of what is gone: that much is paid back, and no loss.
    `is_charge_refundable` is Stripe's word on whether it refunds the payment all the same.
    """

    stripe_id = models.CharField(_("Stripe id"), max_length=120, unique=True)
    payment = models.ForeignKey(
        Payment,
        null=True,
        on_delete=models.PROTECT,
        related_name="disputes",
        verbose_name=_("payment"),
    )
    order = models.ForeignKey(
        Order, null=True, on_delete=models.PROTECT, related_name="disputes", verbose_name=_("order")
    )
    payment_intent_id = models.CharField(_("PaymentIntent"), max_length=120)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    reinstated = models.PositiveBigIntegerField(_("reinstated (minor units)"), default=0)
    owed_back = models.PositiveBigIntegerField(_("owed already (minor units)"), default=0)
    reason = models.CharField(_("reason"), max_length=60)
    status = models.CharField(_("status"), max_length=30, choices=DisputeStatus)
    is_charge_refundable = models.BooleanField(_("can be refunded"), default=False)
    evidence_due_by = models.DateTimeField(_("evidence due by"), null=True)
    opened_at = models.DateTimeField(_("opened at"))
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)
    reinstated_at = models.DateTimeField(_("reinstated at"), null=True)
    lost_at = models.DateTimeField(_("lost at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(payment=None) ^ models.Q(order=None), name="dispute_of_one"
            )
        ]

    def __str__(self) -> str:
        return self.stripe_id


# What is gone of a dispute that is decided: nobody owed it, but for `owed_back`.
GONE = models.F("amount") - models.F("reinstated")
IS_DECIDED = models.Q(lost_at__isnull=False) | models.Q(reinstated_at__isnull=False)
# The money may come back, or not all of it: one that is won may have to wait for it.
IS_UNSETTLED = models.Q(status__in=UNDECIDED) | models.Q(
    status=DisputeStatus.WON, withdrawn_at__isnull=False, reinstated_at__isnull=True
)
# The cardholder has the money, or may get it; of one that was lost in part Stripe says whether the
# rest can be refunded.
IS_STANDING = IS_UNSETTLED | models.Q(status=DisputeStatus.LOST, is_charge_refundable=False)

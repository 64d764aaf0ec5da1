"""What we came to owe a payer who has it already, and what a payer was given beside that."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.disputes import Dispute
from billing.models.orders import Order
from billing.models.payments import Refund


class SetOff(models.Model):
    """Credit, or what was held of an undeliverable order, that is set off against a loss: a lost
    dispute, or a refund made at Stripe, had paid it back. `amount` is in minor units of the
    payment's currency. It never changes; what of it still stands is in `owed_back` of the dispute
    or refund.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    dispute = models.ForeignKey(
        Dispute, null=True, on_delete=models.PROTECT, related_name="set_offs"
    )
    refund = models.ForeignKey(Refund, null=True, on_delete=models.PROTECT, related_name="set_offs")
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("set-off")
        verbose_name_plural = _("set-offs")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(dispute=None) ^ models.Q(refund=None), name="set_off_of_one"
            )
        ]

    def __str__(self) -> str:
        return f"{self.dispute or self.refund}: {self.amount}"


class UnowedRefund(models.Model):
    """What went back of an order once it was refunded, made at Stripe: a lost dispute had paid it
    back. It is a loss. `amount` is in minor units; it never changes.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="unowed_refunds")
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("unowed refund")
        verbose_name_plural = _("unowed refunds")

    def __str__(self) -> str:
        return f"{self.order}: {self.amount}"

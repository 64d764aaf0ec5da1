"""What a month's usage was read as, and what it was billed as."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice
from billing.models.subscriptions import Subscription
from tenants.models import Meter


class UsageReading(models.Model):
    """A month's usage as the gateway last told it, and since which answer it is the same.

    A month is closed after two equal readings at least six hours apart (docs/billing.md).
    """

    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    period_start = models.DateField(_("period from"))
    requests = models.PositiveBigIntegerField(_("requests"))
    same_since = models.DateTimeField(_("same since"))

    class Meta:
        verbose_name = _("usage reading")
        verbose_name_plural = _("usage readings")
        constraints = [
            models.UniqueConstraint(
                fields=["period_start", "subscription"], name="usage_reading_per_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subscription} {self.period_start}: {self.requests}"


class BilledUsage(models.Model):
    """What a month's usage of a meter was billed as. A later revision of the gateway's figures is a
    row of its own, with what the whole month comes to by it; the difference is what is billed.

    `amount` is in minor units, by the price version that the subscription had in that month.
    `forgiven` is how many of the `quantity` passed beyond a spending cap, and are not charged.
    """

    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    price = models.ForeignKey("billing.PriceVersion", on_delete=models.PROTECT, related_name="+")
    meter = models.CharField(_("meter"), max_length=20, choices=Meter)
    period_start = models.DateField(_("period from"))
    revision = models.PositiveSmallIntegerField(_("revision"), default=0)
    quantity = models.PositiveBigIntegerField(_("quantity"))
    forgiven = models.PositiveBigIntegerField(_("not charged"), default=0)
    amount = models.BigIntegerField(_("amount"))
    invoice = models.ForeignKey(
        Invoice, null=True, on_delete=models.PROTECT, related_name="billed_usage", db_index=False
    )
    noted_at = models.DateTimeField(_("noted at"))

    class Meta:
        verbose_name = _("billed usage")
        verbose_name_plural = _("billed usage")
        ordering = ["subscription", "period_start", "meter", "revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["period_start", "subscription", "meter", "revision"],
                name="billed_usage_revision",
            )
        ]
        indexes = [
            models.Index(
                fields=["invoice"],
                condition=models.Q(invoice__isnull=False),
                name="billed_usage_of_invoice",
            ),
            models.Index(  # what waits for one is of a later revision, and rare
                fields=["period_start", "revision"],
                condition=models.Q(invoice__isnull=True),
                name="billed_usage_without_invoice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription} {self.period_start} {self.meter}: {self.quantity}"

    @property
    def charged(self) -> int:
        return self.quantity - self.forgiven

"""What operators pay for what tenants use, so that plans can be designed from numbers."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CostUnit(models.TextChoices):
    """What AWS counts, and is paid for."""

    GATEWAY_REQUESTS = "gateway_requests", _("API Gateway, request")
    LAMBDA_REQUESTS = "lambda_requests", _("Lambda, request")
    LAMBDA_GB_SECONDS = "lambda_gb_seconds", _("Lambda, GB-second")


class UnitCost(models.Model):
    """What one unit costs in US dollars, before tax. A month has the newest price whose first day
    is not after the month's.

    `free` units a month are the AWS account's free tier. The first tier of a price is taken for all
    units. `region` and `source` say where the price was read.
    """

    unit = models.CharField(_("unit"), max_length=20, choices=CostUnit)
    price = models.DecimalField(_("price (US dollars)"), max_digits=18, decimal_places=12)
    free = models.PositiveBigIntegerField(_("free each month"), default=0)
    region = models.CharField(_("region"), max_length=30)
    source = models.CharField(_("source of the price"), max_length=200)
    valid_from = models.DateField(_("valid from"))

    class Meta:
        verbose_name = _("unit cost")
        verbose_name_plural = _("unit costs")
        ordering = ["unit", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["unit", "valid_from"], name="unit_cost_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.get_unit_display()}: {self.price.normalize():f} USD"

"""Usage by key version, meter and UTC day. We keep our own history: the gateway promises none."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.keys import ApiKeyVersion
from tenants.models.people import Tenant


class Meter(models.TextChoices):
    """What is counted.

    Compute is what Lambda is paid for: the memory of a function in MB × the milliseconds that it
    ran. It tells operators what a tenant costs; tenants neither see it nor pay for it.
    """

    REQUESTS = "requests", _("requests")
    CONVERSIONS = "conversions", _("conversions")
    COMPUTE = "compute", _("compute (MB-ms)")


SOLD = (Meter.REQUESTS, Meter.CONVERSIONS)  # what tenants see, and plans may price


class UsageDay(models.Model):
    """How much was used on one UTC day.

    Requests belong to a key version and to the gateway plan under which they were counted (a
    version that moves has a row of each), and are what GetUsage said last, with what `remaining`.
    `carried` of them were counted by a key, or a plan, that was deleted at the gateway and made
    again since, which GetUsage does not tell any more.
    Other meters count for the tenant as a whole: no version, nothing that remains.
    """

    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="usage_days",
        db_index=False,  # an index below begins with it
        verbose_name=_("tenant"),
    )
    version = models.ForeignKey(
        ApiKeyVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="usage_days",
        db_index=False,  # a constraint below begins with it
        verbose_name=_("key version"),
    )
    gateway_plan = models.ForeignKey(
        "tenants.GatewayPlan",
        null=True,
        on_delete=models.PROTECT,
        related_name="usage_days",
        verbose_name=_("gateway plan"),
    )
    meter = models.CharField(_("meter"), max_length=20, choices=Meter)
    day = models.DateField(_("day (UTC)"))
    used = models.PositiveBigIntegerField(_("used"))
    carried = models.PositiveBigIntegerField(default=0, editable=False)
    remaining = models.BigIntegerField(_("remaining"), null=True)
    read_at = models.DateTimeField(_("read at"))

    class Meta:
        verbose_name = _("usage of a day")
        verbose_name_plural = _("usage by day")
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "gateway_plan", "meter", "day"], name="usage_day_per_version"
            ),
            models.UniqueConstraint(
                fields=["tenant", "meter", "day"],
                condition=models.Q(version=None),
                name="usage_day_per_tenant",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "meter", "day"], name="usage_day_of_tenant")]

    def __str__(self) -> str:
        return f"{self.day} {self.meter}: {self.used}"


class UsageRecord(models.Model):
    """A unit of usage that was counted already, by the key of what caused it.

    Whoever reports usage may report it twice; the unique key makes the second time count nothing.
    What a try took is forgotten once it cannot come again; a conversion can, as long as its variant
    is there.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    meter = models.CharField(max_length=20, choices=Meter)
    key = models.CharField(max_length=200)
    day = models.DateField()
    quantity = models.PositiveBigIntegerField()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        constraints = [models.UniqueConstraint(fields=["meter", "key"], name="usage_record_once")]
        indexes = [
            models.Index(
                fields=["day"],
                condition=models.Q(meter=Meter.COMPUTE),
                name="usage_record_compute",
            )
        ]

    def __str__(self) -> str:
        return f"{self.meter} {self.key}"

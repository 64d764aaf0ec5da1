"""What a tenant sets for itself: a spending cap, and packs that are bought by themselves."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.catalog import Currency, ExtensionPack
from billing.models.subscriptions import Subscription
from tenants.models import Tenant


class SpendingCap(models.Model):
    """The most that priced requests may cost in a calendar month (UTC), before tax, in minor units.

    `requests` is what it came to by the prices of the subscription when it was last written.
    """

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="spending_cap", verbose_name=_("tenant")
    )
    currency = models.CharField(_("currency"), max_length=3, choices=Currency)
    amount = models.PositiveBigIntegerField(_("amount (minor units)"))
    requests = models.PositiveBigIntegerField(_("requests"))
    set_at = models.DateTimeField(_("set at"))

    class Meta:
        verbose_name = _("spending cap")
        verbose_name_plural = _("spending caps")

    def __str__(self) -> str:
        return f"{self.tenant}: {self.amount} {self.currency}"


class CapChange(models.Model):
    """How many requests of a calendar month (UTC) a spending cap allows a subscription from a
    moment on; None: as many as it likes. It stands until the next one, and never changes: the close
    tells from it what is charged at most. One that `was_carried_over` stood when the subscription
    began.
    """

    subscription = models.ForeignKey(
        Subscription,
        on_delete=models.PROTECT,
        related_name="cap_changes",
        db_index=False,
        verbose_name=_("subscription"),
    )
    requests = models.PositiveBigIntegerField(_("requests"), null=True)
    was_carried_over = models.BooleanField(_("carried over"), default=False)
    written_at = models.DateTimeField(_("written at"))

    class Meta:
        verbose_name = _("change of a spending cap")
        verbose_name_plural = _("changes of spending caps")
        ordering = ["-written_at", "-id"]
        indexes = [models.Index(fields=["subscription", "written_at"], name="cap_of_subscription")]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.requests}"


class AutoTopUp(models.Model):
    """Buy a pack by itself when less than so many percent of the entitlement remain.

    At most so often in a quota period; a decline turns it off, and `off_reason` says why.
    """

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="auto_top_up", verbose_name=_("tenant")
    )
    pack = models.ForeignKey(
        ExtensionPack, on_delete=models.PROTECT, related_name="+", verbose_name=_("extension pack")
    )
    percent = models.PositiveSmallIntegerField(_("below (% remaining)"))
    most_per_period = models.PositiveSmallIntegerField(_("at most per period"))
    is_on = models.BooleanField(_("on"), default=True)
    off_reason = models.CharField(_("turned off because"), max_length=300, blank=True)
    set_at = models.DateTimeField(_("set at"))

    class Meta:
        verbose_name = _("automatic top-up")
        verbose_name_plural = _("automatic top-ups")

    def __str__(self) -> str:
        return f"{self.tenant}: {self.pack} below {self.percent} %"

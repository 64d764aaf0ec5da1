"""Alerts: what a tenant was told of, how it wants to be told, and which thresholds were reached."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


def usual_percents() -> list[int]:
    """Return the percents of a quota, or a cap, that are told where nobody chose others."""
    return [50, 80, 100]


class Alert(models.Model):
    """Something that a tenant was told. `kind` is one of tenants/alert_types.py, `data` figures.

    `key` says of what, once: the crossing and its period, the day, the key and its expiry.
    `seen_at` is when a member said that it was seen; it is the tenant's, not each member's.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        related_name="alerts",
        db_index=False,  # an index below begins with it
        verbose_name=_("tenant"),
    )
    kind = models.CharField(_("kind"), max_length=20)
    key = models.CharField(_("key"), max_length=120)
    data = models.JSONField(_("data"), default=dict)
    raised_at = models.DateTimeField(_("raised at"))
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-raised_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="alert_once")]
        indexes = [
            models.Index(fields=["tenant", "raised_at"], name="alert_of_tenant"),
            models.Index(
                fields=["tenant"], condition=models.Q(seen_at=None), name="alert_not_seen"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class AlertSettings(models.Model):
    """How a tenant wants to be told; one without a row has the defaults.

    Percents are of the period's quota, and of the month's spending cap; amounts are a month's, in
    minor units of the currency that the tenant pays in. An empty list tells of nothing. Kinds are
    mailed but for `not_mailed`.
    """

    tenant = models.OneToOneField(
        Tenant, on_delete=models.CASCADE, related_name="alert_settings", verbose_name=_("tenant")
    )
    quota_percents = models.JSONField(_("percents of the quota"), default=usual_percents)
    spending_percents = models.JSONField(_("percents of the spending cap"), default=usual_percents)
    spending_amounts = models.JSONField(_("amounts of spending (minor units)"), default=list)
    not_mailed = models.JSONField(_("kinds not mailed"), default=list)

    class Meta:
        verbose_name = _("alert settings")
        verbose_name_plural = _("alert settings")

    def __str__(self) -> str:
        return f"{self.tenant}"


class AlertLevel(models.Model):
    """Which thresholds of a kind are reached in a period of UTC days, `period_end` excluded.

    `told` names them, the lowest first; one that is left out is armed. `most` is the largest figure
    that was told: figures that wobble below it change nothing. `crossings` counts what was told.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="alert_levels", verbose_name=_("tenant")
    )
    kind = models.CharField(_("kind"), max_length=20)
    period_start = models.DateField(_("from"))
    period_end = models.DateField(_("until"))
    told = models.JSONField(_("told"), default=list)
    most = models.PositiveBigIntegerField(_("largest figure"), default=0)
    crossings = models.PositiveIntegerField(_("crossings"), default=0)

    class Meta:
        verbose_name = _("alert level")
        verbose_name_plural = _("alert levels")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "period_start", "period_end"],
                name="alert_level_per_period",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.period_start}: {self.told}"

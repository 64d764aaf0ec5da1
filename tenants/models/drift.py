"""Where the gateway was found to be other than our rows say."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.keys import ApiKeyVersion
from tenants.models.plans import GatewayPlan


class DriftKind(models.TextChoices):
    """What is not as it was left. Each says what comes of it (docs/drift.md)."""

    KEY_ENABLED = "key_enabled", _("key was enabled: disabled again")
    KEY_DISABLED = "key_disabled", _("key was disabled: enabled again")
    KEY_MOVED = "key_moved", _("key was taken out of its plan: put back")
    KEY_GONE = "key_gone", _("key was deleted: made again")
    KEY_UNKNOWN = "key_unknown", _("plan has a key that is not ours: look at it")
    PLAN_CHANGED = "plan_changed", _("plan was changed: changed back")
    PLAN_GONE = "plan_gone", _("plan was deleted, or this is another account: look at it")


class GatewayDrift(models.Model):
    """One thing in the gateway that differed from our rows, from `found_at` to `ended_at`.

    `gateway_id` is the key's, or the plan's. `seen_at` is the last comparison that met it, and
    `ended_at` the first that did not any more (None: it still stands).
    """

    kind = models.CharField(_("what differs"), max_length=12, choices=DriftKind)
    gateway_id = models.CharField(_("gateway id"), max_length=64)
    gateway_plan = models.ForeignKey(
        GatewayPlan,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("gateway plan"),
    )
    version = models.ForeignKey(
        ApiKeyVersion,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("key version"),
    )
    found_at = models.DateTimeField(_("found at"))
    seen_at = models.DateTimeField(_("last seen at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)

    class Meta:
        verbose_name = _("difference at the gateway")
        verbose_name_plural = _("differences at the gateway")
        ordering = [models.F("ended_at").desc(nulls_first=True), "-found_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "gateway_id"],
                condition=models.Q(ended_at=None),
                name="gateway_drift_once_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.gateway_id}: {self.get_kind_display()}"

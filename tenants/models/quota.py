"""Entitlements, the grants that raise them, and the leases that share them out.

The entitlement is what a tenant may use in a period; a lease is what one key version may use of
it. The sum of a tenant's leases never exceeds the entitlement plus the advance. The arithmetic is
in tenants/leases.py, the work in tenants/services/reconcile.py.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.keys import ApiKeyVersion
from tenants.models.people import Tenant


class Entitlement(models.Model):
    """What a tenant may use in one quota period, in requests. Days are UTC, `period_end` excluded.

    `granted_requests` is the sum of the standing grants of the period, kept here because it
    changes in the transaction that writes the grant; `cap_requests` is a ceiling (a spending cap
    turned into requests), None without one. `by_use_requests` is what of the plan's was used under
    unlimited plans that were left.

    `closing_used` is what a period that is over was used, as read since `closing_since`; it is
    read of periods with grants alone, and decides what became of them once it has settled.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="entitlements", verbose_name=_("tenant")
    )
    period_start = models.DateField(_("from"))
    period_end = models.DateField(_("until"))
    plan_requests = models.PositiveBigIntegerField(_("from the plan"))
    by_use_requests = models.PositiveBigIntegerField(_("paid by use"), default=0)
    granted_requests = models.PositiveBigIntegerField(_("granted"), default=0)
    cap_requests = models.PositiveBigIntegerField(_("cap"), null=True, blank=True)
    advance_requests = models.PositiveIntegerField(_("advance"))
    closing_used = models.PositiveBigIntegerField(_("used in the end"), null=True, blank=True)
    closing_since = models.DateTimeField(_("read so since"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("entitlement")
        verbose_name_plural = _("entitlements")
        ordering = ["-period_start"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "period_start", "period_end"], name="entitlement_per_period"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant} {self.period_start}: {self.requests}"

    @property
    def requests(self) -> int:
        """E: how many requests the tenant may make in this period."""
        total = self.plan_requests + self.granted_requests
        return total if self.cap_requests is None else min(total, self.cap_requests)

    @property
    def shared_requests(self) -> int:
        """What leases share: E without what was paid by use, which nobody can know at once.

        Where there is a cap, it is over all.
        """
        return self.requests - (self.by_use_requests if self.cap_requests is None else 0)


class GrantKind(models.TextChoices):
    """Where a grant comes from."""

    EXTENSION = "extension", _("extension")
    CREDIT = "credit", _("credit")
    ROLL_OVER = "rollover", _("roll-over")


class QuotaGrant(models.Model):
    """Extra requests for one period. `source` is the unique key of what paid for it.

    `withdrawn_at` is since when they are taken back, and count no more. `closed_at` is when it was
    known what became of them: that many used, that many expired, and the rest rolled over to the
    grant whose source is "rollover:" and this one's id; none of it where they were taken back.
    `rolls_over` is the rule of the day when they were bought.
    """

    entitlement = models.ForeignKey(
        Entitlement, on_delete=models.PROTECT, related_name="grants", verbose_name=_("entitlement")
    )
    kind = models.CharField(_("kind"), max_length=9, choices=GrantKind)
    requests = models.PositiveIntegerField(_("requests"))
    source = models.CharField(_("source"), max_length=120, unique=True)
    rolls_over = models.BooleanField(_("rolls over"), default=False)
    granted_at = models.DateTimeField(_("granted at"))
    applied_at = models.DateTimeField(_("at the gateway since"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    used_requests = models.PositiveIntegerField(_("used"), default=0)
    expired_requests = models.PositiveIntegerField(_("expired"), default=0)

    class Meta:
        verbose_name = _("quota grant")
        verbose_name_plural = _("quota grants")
        ordering = ["-granted_at"]
        indexes = [
            models.Index(
                fields=["entitlement"], condition=models.Q(closed_at=None), name="grant_not_closed"
            )
        ]

    def __str__(self) -> str:
        return f"+{self.requests} ({self.source})"


class Lease(models.Model):
    """The most that one version may ever use in one period under one gateway plan.

    A version that moves to another plan starts a fresh counter there, and so a lease of its own;
    the one that it leaves shrinks to what was used under it.

    `limit_requests` is confirmed. While a write is under way, or its outcome is unknown,
    `pending_limit` is what it would make of it, and the larger of the two counts. `revision` goes
    up with each attempt and tells a late answer from a current one. `written_*` describe the last
    confirmed write: the N that was set, and what was then seen as used. `seen_*` is the newest
    reading of GetUsage, `seen_since` when this very figure was first read; `live_used` is what the
    live meter had counted of the calls up to `live_at`. Nothing is used before
    `opened_at`, when the key was first enabled under this lease, nor after `closed_at`.
    `rejoined_used` is the most that was used when the version came back, at `rejoined_at`, to a
    plan that it had left, until it is enabled there again.
    """

    entitlement = models.ForeignKey(Entitlement, on_delete=models.CASCADE, related_name="leases")
    version = models.ForeignKey(
        ApiKeyVersion,
        on_delete=models.PROTECT,
        related_name="leases",
        verbose_name=_("key version"),
    )
    gateway_plan = models.ForeignKey(
        "tenants.GatewayPlan", on_delete=models.PROTECT, verbose_name=_("gateway plan")
    )
    limit_requests = models.PositiveBigIntegerField(_("limit"))
    pending_limit = models.PositiveBigIntegerField(_("pending limit"), null=True)
    pending_remaining = models.PositiveBigIntegerField(null=True)
    pending_seen = models.PositiveBigIntegerField(null=True)
    pending_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(_("revision"), default=0)
    written_remaining = models.PositiveBigIntegerField(_("remaining as written"))
    written_seen = models.PositiveBigIntegerField(_("used at the write"), default=0)
    written_at = models.DateTimeField(_("written at"), null=True)
    seen_used = models.PositiveBigIntegerField(_("used"), default=0)
    seen_remaining = models.BigIntegerField(_("remaining"), null=True)
    seen_at = models.DateTimeField(_("read at"), null=True)
    seen_since = models.DateTimeField(_("same since"), null=True)
    live_used = models.PositiveBigIntegerField(_("counted live"), default=0)
    live_at = models.DateTimeField(_("counted live up to"), null=True)
    opened_at = models.DateTimeField(_("opened at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    rejoined_used = models.PositiveBigIntegerField(_("used when it came back"), null=True)
    rejoined_at = models.DateTimeField(null=True)
    is_owed = models.BooleanField(_("owed"), default=False)

    class Meta:
        verbose_name = _("lease")
        verbose_name_plural = _("leases")
        ordering = ["-entitlement__period_start", "version"]
        constraints = [
            models.UniqueConstraint(
                fields=["entitlement", "version", "gateway_plan"], name="lease_per_version_and_plan"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.limit_requests}"

"""A tenant's API keys, and their versions: what a caller sends and the gateway knows.

The value of a version is derived (tenants/key_values.py) and never in the database.
"""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


class ApiKey(models.Model):
    """A tenant's name for a key, e.g. "production". It lives on when its versions rotate.

    `told_days` is how many days before it expires people were last told so (tenants/expiry.py).
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=60)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True, db_index=True)
    told_days = models.PositiveSmallIntegerField(null=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=models.Q(revoked_at=None),
                name="api_key_name_once_per_tenant",
            )
        ]

    def __str__(self) -> str:
        return self.name


class KeySlot(models.TextChoices):
    """In which of a usage plan's two mirrors a version sits (GatewayPlan)."""

    PRIMARY = "primary", _("primary")
    SECONDARY = "secondary", _("secondary")


class VersionStatus(models.TextChoices):
    """Where a version is in its life. Only active and retiring versions are ever enabled."""

    PENDING = "pending", _("pending")
    ACTIVE = "active", _("active")
    RETIRING = "retiring", _("retiring")
    REVOKED = "revoked", _("revoked")
    DELETED = "deleted", _("deleted")
    FAILED = "failed", _("failed")


class ApiKeyVersion(models.Model):
    """One key in the gateway.

    `slot` is where it should sit, `gateway_plan` where the gateway has confirmed that it sits,
    `is_enabled` what the gateway last confirmed (None: unknown, a call was under way). `made_at` is
    since when it has been there: one that was deleted there is made again, and counts from nothing.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.CASCADE, related_name="versions", verbose_name=_("API key")
    )
    status = models.CharField(
        _("status"), max_length=8, choices=VersionStatus, default=VersionStatus.PENDING
    )
    slot = models.CharField(_("slot"), max_length=9, choices=KeySlot, default=KeySlot.SECONDARY)
    gateway_id = models.CharField(_("gateway id"), max_length=64, blank=True)
    gateway_plan = models.ForeignKey(
        "tenants.GatewayPlan",
        null=True,
        on_delete=models.PROTECT,
        related_name="versions",
        verbose_name=_("gateway plan"),
    )
    is_enabled = models.BooleanField(_("enabled"), null=True, default=False)
    value_digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(_("last four"), max_length=4)
    created_at = models.DateTimeField(_("created at"))
    made_at = models.DateTimeField(_("made at"), null=True, blank=True)
    activated_at = models.DateTimeField(_("active since"), null=True, blank=True)
    retires_at = models.DateTimeField(_("retires at"), null=True, blank=True)
    revealed_at = models.DateTimeField(_("revealed at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    detached_at = models.DateTimeField(_("detached at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)

    GATEWAY_PREFIX = "sekisho "

    class Meta:
        verbose_name = _("key version")
        verbose_name_plural = _("key versions")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway_id"],
                condition=~models.Q(gateway_id=""),
                name="key_version_gateway_id",
            )
        ]

    def __str__(self) -> str:
        return f"{self.api_key.name} …{self.last_four}"

    @property
    def gateway_name(self) -> str:
        """The key's name in the gateway. It carries the UUID, so that a repeat finds it."""
        return f"{self.GATEWAY_PREFIX}{self.uuid}"

    @property
    def is_living(self) -> bool:
        """Whether this version is, or is about to be, of use to its owner."""
        return self.status in (
            VersionStatus.PENDING,
            VersionStatus.ACTIVE,
            VersionStatus.RETIRING,
        )

"""Users, the tenants that they belong to, and the holds that stop a tenant's keys."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Creates users that log in with their mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """Raise ValueError without a mail address."""
        if not email:
            raise ValueError("A user needs an email address.")
        user = self.model(email=self.normalize_email(email), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """Make an operator: somebody who may do everything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)


class User(AbstractUser):
    """A person. What they may do is decided by their memberships, not by this row."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("email address"), unique=True)
    language = models.CharField(_("language"), max_length=8, default="en")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            # Ada@example.com and ada@example.com are one person.
            models.UniqueConstraint(Lower("email"), name="user_email_case_insensitive")
        ]

    def __str__(self) -> str:
        return self.email


class TenantState(models.TextChoices):
    """Closing a tenant is a state that each app sweeps for itself."""

    ACTIVE = "active", _("active")
    CLOSING = "closing", _("closing")
    CLOSED = "closed", _("closed")


class Tenant(models.Model):
    """An organisation that signed up. Two may well have the same name; `uuid` tells them apart.

    `reconcile_at` is the one intent that the gateway's worker looks for: whoever changes what this
    tenant's keys should be sets it in the same transaction, and the reconciler clears it once the
    gateway shows what the rows say (tenants/services/reconcile.py). `reconcile_revision` counts
    those requests, so that one which comes during a run is not lost. `claimed_until` is held by
    the worker that is at it.
    `closes_at` is when the grace of one that is closing is over.
    """

    uuid = models.UUIDField(_("ID"), default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(
        _("state"), max_length=8, choices=TenantState, default=TenantState.ACTIVE
    )
    language = models.CharField(_("language"), max_length=8, default="en")
    usage_plan = models.ForeignKey(
        "tenants.UsagePlan", on_delete=models.PROTECT, verbose_name=_("usage plan")
    )
    requires_second_factor = models.BooleanField(_("requires a second factor"), default=False)
    created_at = models.DateTimeField(_("created at"))
    closes_at = models.DateTimeField(_("closes at"), null=True, blank=True, db_index=True)
    reconcile_at = models.DateTimeField(_("reconcile at"), null=True, db_index=True)
    reconcile_revision = models.PositiveIntegerField(default=0, editable=False)
    reconcile_attempts = models.PositiveIntegerField(_("failed attempts"), default=0)
    reconcile_error = models.TextField(_("last error"), blank=True)
    claimed_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do in a tenant."""

    OWNER = "owner", _("owner")
    ADMIN = "admin", _("admin")
    DEVELOPER = "developer", _("developer")
    BILLING = "billing", _("billing")


class Member(models.Model):
    """A user's place in a tenant. Without `alert_mails` they get no alerts by mail."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="members", verbose_name=_("tenant")
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    role = models.CharField(_("role"), max_length=9, choices=Role)
    alert_mails = models.BooleanField(_("alerts by mail"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="member_once_per_tenant")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class HoldReason(models.TextChoices):
    """Who put a hold on, and so who alone lifts it."""

    DUNNING = "dunning", _("unpaid invoice")
    OPERATOR = "operator", _("stopped by the operator")
    DELETION = "deletion", _("being closed")


class Hold(models.Model):
    """A reason why none of a tenant's keys may pass. It disables keys, it never detaches them."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="holds", verbose_name=_("tenant")
    )
    reason = models.CharField(_("reason"), max_length=8, choices=HoldReason)
    note = models.CharField(_("note"), max_length=200, blank=True)
    placed_at = models.DateTimeField(_("placed at"))
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-placed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "reason"],
                condition=models.Q(lifted_at=None),
                name="hold_once_per_reason",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.get_reason_display()}"

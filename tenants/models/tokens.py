"""Tokens for the management API: what a tenant's own programs call it with."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


class ApiToken(models.Model):
    """A personal token, which acts as `user`, or without one a machine's, which outlives its maker.

    The value is nowhere: `digest` is its SHA-256 (tenants/token_values.py). `scopes` are words of
    tenants/scopes.py. `last_used_on` is a UTC day, written once a day. Without `expires_at` it
    works until it is revoked. `made_by` is the token that it was made with, and ends with.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="api_tokens", verbose_name=_("tenant")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("acts as"),
    )
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(_("last four"), max_length=4)
    scopes = models.JSONField(_("scopes"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("created by"),
    )
    made_by = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_on = models.DateField(_("last used on"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} …{self.last_four}"

    @property
    def is_machines(self) -> bool:
        """Whether it acts as nobody in person."""
        return self.user_id is None

"""Mails about money, each sent once: the row is written with what it tells."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant


class Notice(models.Model):
    """A mail about a tenant's money, to its people or to operators. `key` says of what, so that it
    is told once.

    `kind` names its template (templates/billing/mails/), `context` what that needs, as JSON.
    `claimed_at` is when a worker last began to send it.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="notices", verbose_name=_("tenant")
    )
    kind = models.CharField(_("kind"), max_length=40)
    key = models.CharField(_("key"), max_length=120, unique=True)
    for_operators = models.BooleanField(_("for operators"), default=False)
    context = models.JSONField(_("context"), default=dict)
    created_at = models.DateTimeField(_("created at"))
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(sent_at=None), name="notice_unsent"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

"""Mails to people, about their place in a tenant and what they look after there."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.invitations import Invitation
from tenants.models.people import Tenant


class Mail(models.Model):
    """A mail to one address, in the tenant's language: the row is written with what it tells.

    `kind` names its template (templates/tenants/mails/), `context` what that needs, as JSON. The
    mail of an invitation has its link, which is in no row. `claimed_at` is when a worker last began
    to send it.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="mails", verbose_name=_("tenant")
    )
    kind = models.CharField(_("kind"), max_length=40)
    to = models.EmailField(_("to"))
    context = models.JSONField(_("context"), default=dict)
    invitation = models.ForeignKey(
        Invitation,
        null=True,
        on_delete=models.CASCADE,
        related_name="mails",
        verbose_name=_("invitation"),
    )
    created_at = models.DateTimeField(_("created at"))
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(sent_at=None), name="mail_unsent"
            ),
            models.Index(fields=["tenant", "created_at"], name="mail_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} → {self.to}"

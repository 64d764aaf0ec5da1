"""Mails to people: the row is written with what it tells."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.invitations import Invitation
from tenants.models.people import Tenant


class Mail(models.Model):
    """A mail about a tenant, or about somebody who has none yet, to one address. `key`, where it
    has one, says of what: an address is told it once.

    `kind` names its template: "billing.suspended" is templates/billing/mails/suspended.txt;
    `context` is what that needs, as JSON, in `language`. The mail of an invitation has its link,
    which is in no row. `claimed_at` is when a worker last began to send it, `tried_until` when we
    give it up.
    """

    tenant = models.ForeignKey(
        Tenant,
        null=True,
        on_delete=models.CASCADE,
        related_name="mails",
        verbose_name=_("tenant"),
    )
    kind = models.CharField(_("kind"), max_length=60)
    key = models.CharField(_("key"), max_length=120, blank=True)
    to = models.EmailField(_("to"))
    language = models.CharField(_("language"), max_length=8)
    context = models.JSONField(_("context"), default=dict)
    invitation = models.ForeignKey(
        Invitation,
        null=True,
        on_delete=models.CASCADE,
        related_name="mails",
        verbose_name=_("invitation"),
    )
    created_at = models.DateTimeField(_("created at"))
    tried_until = models.DateTimeField(_("tried until"))
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key", "to"], condition=~models.Q(key=""), name="mail_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["tried_until"], condition=models.Q(sent_at=None), name="mail_unsent"
            ),
            models.Index(fields=["tenant", "created_at"], name="mail_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} → {self.to}"

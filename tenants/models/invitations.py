"""Invitations into a tenant, by mail."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Role, Tenant, User


class InvitationState(models.TextChoices):
    """What became of an invitation; one that is open may be over by its date."""

    OPEN = "open", _("not answered")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("turned down")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Invitation(models.Model):
    """A role in a tenant for whoever reads an address's mail, until `expires_at`.

    The link's token is derived from `uuid` and `sendings` (tenants/invitation_tokens.py); stored is
    its digest alone. Each sending makes a new one, and the links before it end.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="invitations", verbose_name=_("tenant")
    )
    email = models.EmailField(_("email address"))
    role = models.CharField(_("role"), max_length=9, choices=Role)
    state = models.CharField(
        _("state"), max_length=9, choices=InvitationState, default=InvitationState.OPEN
    )
    invited_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("invited by")
    )
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    sendings = models.PositiveSmallIntegerField(_("times sent"), default=1)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=models.Q(state=InvitationState.OPEN),
                name="invitation_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"

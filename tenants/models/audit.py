"""Who did what, when, from where."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


class ActorKind(models.TextChoices):
    """Who acts. An operator who is a member as well acts as the latter."""

    MEMBER = "member", _("member")
    OPERATOR = "operator", _("operator")
    TOKEN = "token", _("machine token")
    GUEST = "guest", _("invited person")
    SYSTEM = "system", _("automatic")


class AuditEntry(models.Model):
    """One act. Written in the act's own transaction; never changed, but for the name of somebody
    whose account has gone, where it is about no tenant.

    `actor_name` is what the tenant reads, and stays when an account has gone: a mail address, or a
    token's name. Of operators it is empty: which of them it was is their own affair.
    """

    tenant = models.ForeignKey(
        Tenant,
        null=True,
        on_delete=models.CASCADE,
        related_name="audit_entries",
        verbose_name=_("tenant"),
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("actor"),
    )
    actor_kind = models.CharField(_("kind of actor"), max_length=8, choices=ActorKind)
    actor_name = models.CharField(_("actor's name"), max_length=254, blank=True)
    action = models.CharField(_("action"), max_length=60)
    target = models.CharField(_("target"), max_length=200, blank=True)
    data = models.JSONField(_("data"), default=dict)
    address = models.GenericIPAddressField(_("address"), null=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["tenant", "-at"], name="audit_of_tenant")]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.action}"

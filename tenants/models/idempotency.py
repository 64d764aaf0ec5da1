"""Calls of the management API that are made once, however often they are sent."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


class IdempotentCall(models.Model):
    """A call that came with an Idempotency-Key, and how it was answered.

    It is written in the transaction of what the call does, so that neither is there without the
    other. `caller` tells apart who may well use the same key; `fingerprint` is the SHA-256 of what
    was sent. `body` is without what is shown once (tenants/idempotency.py).
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant")
    )
    caller = models.CharField(_("caller"), max_length=40)
    key = models.CharField(_("key"), max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(_("status"))
    body = models.JSONField(_("answer"), null=True)
    called_at = models.DateTimeField(_("called at"), db_index=True)

    class Meta:
        verbose_name = _("idempotent call")
        verbose_name_plural = _("idempotent calls")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "caller", "key"], name="idempotent_call_once")
        ]

    def __str__(self) -> str:
        return self.key

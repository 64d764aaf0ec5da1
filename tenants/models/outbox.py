"""News for the apps above, written in the transaction that made it (tenants/services/outbox.py)."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


class OutboxEvent(models.Model):
    """One piece of news. Which task of which app receives it is listed in portal/celery.py."""

    kind = models.CharField(_("kind"), max_length=40)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="+")
    payload = models.JSONField(_("payload"), default=dict)
    created_at = models.DateTimeField(_("created at"))
    relayed_at = models.DateTimeField(_("relayed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("outbox event")
        verbose_name_plural = _("outbox events")
        ordering = ["id"]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(relayed_at=None), name="outbox_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

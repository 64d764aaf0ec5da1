"""What has to be done before a tenant that leaves is gone."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.people import Tenant


class LeavingPart(models.Model):
    """An app's part in a tenant's end, written when the grace is over: from then on there is no way
    back. Once all have `done_at`, the tenant is closed. `waits_for` says to operators, in English,
    what its last run has left to be done, or failed with.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, related_name="leaving_parts", verbose_name=_("tenant")
    )
    app = models.CharField(_("part"), max_length=20)
    begun_at = models.DateTimeField(_("begun at"))
    done_at = models.DateTimeField(_("done at"), null=True)
    waits_for = models.CharField(_("waits for"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("part of a deletion")
        verbose_name_plural = _("parts of deletions")
        ordering = ["-begun_at", "app"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "app"], name="leaving_part_once_per_app")
        ]

    def __str__(self) -> str:
        return f"{self.tenant}: {self.app}"

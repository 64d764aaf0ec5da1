"""What was published to the edge table, from which the functions read whom they serve."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EdgeItem(models.Model):
    """One item of the edge table: what it should be, and which revision of that is known there.

    `body` is None where the functions should know nothing of it any more. Revisions only grow and
    travel with the item, so that a late write never replaces a newer one.
    """

    key = models.CharField(_("key"), max_length=100, unique=True)
    body = models.JSONField(_("body"), null=True)
    revision = models.PositiveBigIntegerField(_("revision"))
    published_revision = models.PositiveBigIntegerField(_("published revision"), default=0)
    published_at = models.DateTimeField(_("published at"), null=True)

    class Meta:
        verbose_name = _("edge item")
        verbose_name_plural = _("edge items")
        ordering = ["key"]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(published_revision__lt=models.F("revision")),
                name="edge_item_waiting",
            )
        ]

    def __str__(self) -> str:
        return self.key

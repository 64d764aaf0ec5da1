"""The API's stages in the gateway, which usage plans open for keys."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class GatewayStage(models.Model):
    """A stage that the backend's deployment made, and where callers reach it.

    `ready_at` is set once every usage plan has it open; callers are told of the one that became
    ready last. Those before it stay open, since callers have their addresses in their own code,
    until an operator closes them: plans lose a stage that `is_closing`, and then it is deleted.
    """

    api_id = models.CharField(_("API id"), max_length=64)
    name = models.CharField(_("name"), max_length=128)
    base_url = models.URLField(_("base URL"), max_length=500)
    ready_at = models.DateTimeField(_("ready at"), null=True)
    is_closing = models.BooleanField(_("is being closed"), default=False)

    class Meta:
        verbose_name = _("gateway stage")
        verbose_name_plural = _("gateway stages")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["api_id", "name"], name="gateway_stage_once")
        ]

    def __str__(self) -> str:
        return f"{self.api_id}:{self.name}"

"""What is compared with Stripe every night, and how far."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class StripeList(models.TextChoices):
    """A list of Stripe's that is read on from where it was read to."""

    EVENTS = "events"
    DISPUTES = "disputes"
    BALANCE = "balance"


class StripeCursor(models.Model):
    """How far one of Stripe's lists was read: what was made before `reached_at` is known here."""

    name = models.CharField(max_length=20, choices=StripeList, unique=True)
    reached_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.reached_at}"


class Reconciliation(models.Model):
    """One comparison with Stripe, kept. Written when it begins: one without an end has died.

    `findings` are its lines: `part`, `words` (billing/words.py), and `is_difference` where an
    operator should look.
    """

    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True)
    differences = models.PositiveIntegerField(_("differences"), default=0)
    findings = models.JSONField(_("findings"), default=list)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"

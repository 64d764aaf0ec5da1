"""Dunning: what is done, and when, about an invoice that could not be collected."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice


class DunningAct(models.TextChoices):
    """What a step does."""

    RETRY = "retry", _("charge the card again, and mail")
    REMIND = "remind", _("mail")
    SUSPEND = "suspend", _("suspend, and mail")


class DunningStep(models.Model):
    """A step of the schedule, so many days after an invoice could first not be collected."""

    day = models.PositiveSmallIntegerField(_("day"), unique=True)
    act = models.CharField(_("what is done"), max_length=7, choices=DunningAct)

    class Meta:
        verbose_name = _("dunning step")
        verbose_name_plural = _("dunning steps")
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day}: {self.get_act_display()}"


class DunningCase(models.Model):
    """An open invoice that is dunned, from its first failure until it is paid or given up."""

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="dunning")
    opened_at = models.DateTimeField(_("opened at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("dunning case")
        verbose_name_plural = _("dunning cases")
        ordering = ["-opened_at", "-id"]

    def __str__(self) -> str:
        return str(self.invoice)


class DunningDone(models.Model):
    """A step that was taken in a case, on the schedule's day, with what came of it."""

    case = models.ForeignKey(DunningCase, on_delete=models.PROTECT, related_name="done")
    day = models.PositiveSmallIntegerField(_("day"))
    act = models.CharField(_("what is done"), max_length=7, choices=DunningAct)
    done_at = models.DateTimeField(_("done at"))
    outcome = models.CharField(_("outcome"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("dunning step taken")
        verbose_name_plural = _("dunning steps taken")
        ordering = ["case", "day"]
        constraints = [
            models.UniqueConstraint(fields=["case", "day"], name="dunning_step_once_per_case")
        ]

    def __str__(self) -> str:
        return f"{self.case}, {self.day}"

"""Dunning: what is done, and when, about an invoice that could not be collected."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from billing.models.invoices import Invoice


class DunningAct(models.TextChoices):
    """What a step does."""

    RETRY = "retry", _("card charged again, email sent")
    REMIND = "remind", _("mail")
    SUSPEND = "suspend", _("API keys stopped, email sent")


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
    """An open invoice that is dunned, from its first failure until it is paid or given up.

    No step is taken in a case that an operator has paused.
    """

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="dunning")
    opened_at = models.DateTimeField(_("opened at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    is_paused = models.BooleanField(_("paused"), default=False)

    class Meta:
        verbose_name = _("dunning case")
        verbose_name_plural = _("dunning cases")
        ordering = ["-opened_at", "-id"]
        indexes = [
            models.Index(
                fields=["opened_at"], condition=models.Q(closed_at=None), name="dunning_open"
            )
        ]

    def __str__(self) -> str:
        return str(self.invoice)


class DunningOutcome(models.TextChoices):
    """What came of a step."""

    UNDER_WAY = "under_way", _("under way")
    PAID = "paid", _("paid")
    DECLINED = "declined", _("declined")
    NEEDS_ACTION = "needs_action", _("waits for the cardholder")
    NO_CARD = "no_card", _("there was no card to charge")
    MAILED = "mailed", _("mailed")
    SUSPENDED = "suspended", _("suspended")


class DunningDone(models.Model):
    """A step that was begun in a case, on the schedule's day, with what came of it.

    `after_attempt` is the number of the invoice's last attempt (0: none) when a retry was begun, so
    that a repeat is the same retry.
    """

    case = models.ForeignKey(DunningCase, on_delete=models.PROTECT, related_name="done")
    day = models.PositiveSmallIntegerField(_("day"))
    act = models.CharField(_("what is done"), max_length=7, choices=DunningAct)
    done_at = models.DateTimeField(_("done at"))
    after_attempt = models.PositiveSmallIntegerField(_("after attempt"), null=True, blank=True)
    outcome = models.CharField(
        _("outcome"),
        max_length=12,
        choices=DunningOutcome,
        default=DunningOutcome.UNDER_WAY,
    )

    class Meta:
        verbose_name = _("dunning step taken")
        verbose_name_plural = _("dunning steps taken")
        ordering = ["case", "day"]
        constraints = [
            models.UniqueConstraint(fields=["case", "day"], name="dunning_step_once_per_case")
        ]

    def __str__(self) -> str:
        return f"{self.case}, {self.day}"

"""Making a preset's variants of files that were uploaded before it was as it is now."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversions.models.presets import Preset


class RemakeState(models.TextChoices):
    """Where a run is: superseded where the preset was changed or switched off in the middle."""

    RUNNING = "running", _("running")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")
    SUPERSEDED = "superseded", _("superseded")


class Remake(models.Model):
    """One run through the uploads that are there. Work is asked for in batches.

    `cursor` is the id of the last upload that was looked at: a run that died goes on behind it. It
    last went on at `moved_at`. Up to `awaited_after` no upload is awaited any more.
    `total` counts the uploads at the start, `looked_at` those behind the cursor, and `asked_for`
    those of them for which work was sent, the others having the variant already. `checked_at` is
    when anybody last worked on it; the sweep takes up one that nobody does. Of a run that has ended
    it is when there was last news. What came of it is counted in `made`, `failed` and `missing`,
    for good from `settled_at` on.
    """

    preset = models.ForeignKey(
        Preset, verbose_name=_("preset"), on_delete=models.CASCADE, related_name="remakes"
    )
    preset_version = models.PositiveIntegerField(_("preset's version"))
    state = models.CharField(
        _("state"), max_length=10, choices=RemakeState, default=RemakeState.RUNNING
    )
    total = models.PositiveIntegerField(_("uploads"))
    looked_at = models.PositiveIntegerField(_("looked at"), default=0)
    asked_for = models.PositiveIntegerField(_("to be made"), default=0)
    cursor = models.PositiveBigIntegerField(default=0, editable=False)
    awaited_after = models.PositiveBigIntegerField(default=0, editable=False)
    made = models.PositiveIntegerField(default=0, editable=False)
    failed = models.PositiveIntegerField(default=0, editable=False)
    missing = models.PositiveIntegerField(default=0, editable=False)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("started by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"))
    checked_at = models.DateTimeField(_("last looked after"), editable=False)
    moved_at = models.DateTimeField(editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    settled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("re-making of uploads")
        verbose_name_plural = _("re-makings of uploads")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["preset"],
                condition=models.Q(state="running"),
                name="remake_one_running",
                violation_error_message=_("This preset's variants are being re-made already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.preset} v{self.preset_version}"

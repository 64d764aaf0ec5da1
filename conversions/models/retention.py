"""How long files are kept."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import UsagePlan


class Retention(models.Model):
    """For how many days a usage plan's tenants have their files. Without a row: until deleted.

    `set_on` is the UTC day on which `days` became what they are: no file goes right after a change.
    """

    usage_plan = models.OneToOneField(
        UsagePlan, on_delete=models.CASCADE, related_name="+", verbose_name=_("usage plan")
    )
    days = models.PositiveIntegerField(
        _("days"),
        validators=[MinValueValidator(1), MaxValueValidator(36_500)],
        help_text=_("Counted from the upload. Then the file and its variants are deleted."),
    )
    set_on = models.DateField(_("set on"), editable=False)

    class Meta:
        verbose_name = _("retention of files")
        verbose_name_plural = _("retention of files")
        ordering = ["usage_plan"]

    def __str__(self) -> str:
        return f"{self.usage_plan}: {self.days}"

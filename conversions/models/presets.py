"""Presets: how one variant of an uploaded image is made. Adding a variant is adding a row."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversions import imaging

SIDE_MAX = 4096


class Fit(models.TextChoices):
    """What happens where the source's proportions are not the preset's."""

    COVER = "cover", _("cover (fills the box, crops the rest)")
    CONTAIN = "contain", _("contain (fits into the box)")


class Format(models.TextChoices):
    """The formats that variants come in."""

    JPEG = "jpeg", "JPEG"
    PNG = "png", "PNG"
    WEBP = "webp", "WebP"
    AVIF = "avif", "AVIF"


class Preset(models.Model):
    """How one variant is made. Sizes are in pixels; a side that is empty follows the other.

    `version` counts the changes of the fields in MAKING: a variant's key carries it, so a changed
    preset never overwrites, or is mistaken for, what an older one made.
    """

    MAKING = ("width", "height", "fit", "format", "quality", "background")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    width = models.PositiveIntegerField(
        _("width"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(SIDE_MAX)],
        help_text=_("Pixels, at most. An image is never enlarged."),
    )
    height = models.PositiveIntegerField(
        _("height"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(SIDE_MAX)],
        help_text=_("Pixels, at most. Empty: it follows from the width."),
    )
    fit = models.CharField(_("fit"), max_length=7, choices=Fit, default=Fit.CONTAIN)
    format = models.CharField(_("format"), max_length=4, choices=Format, default=Format.WEBP)
    quality = models.PositiveSmallIntegerField(
        _("quality"),
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("1 to 100. PNG is lossless and has none."),
    )
    background = models.CharField(
        _("background"),
        max_length=7,
        default="#ffffff",
        validators=[RegexValidator(r"^#[0-9a-f]{6}\Z", _("Write a colour as #rrggbb."))],
        help_text=_("What shows through transparent parts where the format has no transparency."),
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("preset")
        verbose_name_plural = _("presets")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(width__isnull=False) | models.Q(height__isnull=False),
                name="preset_has_a_side",
                violation_error_message=_("Give a width, a height, or both."),
            ),
            models.CheckConstraint(
                condition=~models.Q(fit="cover")
                | models.Q(width__isnull=False, height__isnull=False),
                name="preset_cover_has_both_sides",
                violation_error_message=_("To cover a box, it needs a width and a height."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def recipe(self) -> imaging.Recipe:
        """Return the preset as the functions take it."""
        return imaging.Recipe(
            code=self.code,
            version=self.version,
            format=imaging.Format(self.format),
            width=self.width,
            height=self.height,
            fit=imaging.Fit(self.fit),
            quality=self.quality,
            background=self.background,
        )

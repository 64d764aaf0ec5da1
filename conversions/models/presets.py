"""Presets: how one variant of an uploaded file is made. Adding a variant is adding a row."""

import hashlib

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversions import filetypes, imaging
from conversions.models.watermarks import watermark_validate

SIDE_MAX = 4096


class AppliesTo(models.TextChoices):
    """The kinds of files, by the codes of conversions/filetypes."""

    IMAGE = "image", _("pictures")
    PDF = "pdf", _("PDF documents (the first page)")
    TEXT = "text", _("text files")


class Fit(models.TextChoices):
    """What happens where the source's proportions are not the preset's (imaging.Fit)."""

    CONTAIN = "contain", _("contain (fits into the box)")
    COVER = "cover", _("cover (fills the box, crops the rest)")
    CROP = "crop", _("crop (fills the box around the focal point)")
    PAD = "pad", _("pad (fits into the box, fills the rest)")


class Format(models.TextChoices):
    """The formats that variants come in: first those of pictures, then those of texts."""

    JPEG = "jpeg", "JPEG"
    PNG = "png", "PNG"
    WEBP = "webp", "WebP"
    AVIF = "avif", "AVIF"
    GIF = "gif", "GIF"
    ORIGINAL = "original", _("as the original")
    TXT = "txt", _("plain text (UTF-8)")
    CSV = "csv", "CSV"
    JSON = "json", "JSON"


TEXT_FORMATS = (Format.TXT, Format.CSV, Format.JSON)


class Animation(models.TextChoices):
    """What becomes of a moving picture (imaging.Animation)."""

    KEEP = "keep", _("keep it moving, where the format can")
    FIRST_FRAME = "first", _("first frame only")


class Metadata(models.TextChoices):
    """What of the EXIF goes along (imaging.Metadata)."""

    STRIP = "strip", _("nothing")
    COPYRIGHT = "copyright", _("copyright and artist")
    KEEP = "keep", _("everything")


class Effort(models.TextChoices):
    """What an encoder may spend (imaging.Effort)."""

    FASTER = "faster", _("faster")
    SMALLER = "smaller", _("smaller")


class Position(models.TextChoices):
    """Where a watermark stands (imaging.Position)."""

    TOP_LEFT = "top_left", _("top left")
    TOP_RIGHT = "top_right", _("top right")
    CENTRE = "centre", _("centre")
    BOTTOM_LEFT = "bottom_left", _("bottom left")
    BOTTOM_RIGHT = "bottom_right", _("bottom right")


class LineEndings(models.TextChoices):
    """How lines of a text end."""

    LF = "lf", _("LF (Unix)")
    CRLF = "crlf", _("CRLF (Windows)")
    KEEP = "keep", _("as in the original")


class Preset(models.Model):
    """How one variant is made. Sizes are in pixels; a side that is empty follows the other.

    `version` counts the changes of the fields in MAKING: a variant's key carries it, so a changed
    preset never overwrites, or is mistaken for, what an older one made.

    `watermark` is a PNG. Functions read it from S3, where it lies under its `watermark_key` (its
    SHA-256) from `watermark_published_at` on; before that the preset is not published, either.
    """

    MAKING = (
        "applies_to", "width", "height", "fit", "upscale", "focal_x", "focal_y", "format",
        "quality", "effort", "progressive", "background", "animation", "grayscale", "sharpen",
        "srgb", "metadata", "watermark_key", "watermark_position", "watermark_width",
        "watermark_opacity", "line_endings",
    )  # fmt: skip

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    applies_to = models.CharField(
        _("applies to"), max_length=5, choices=AppliesTo, default=AppliesTo.IMAGE
    )
    width = models.PositiveIntegerField(
        _("width"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(SIDE_MAX)],
        help_text=_("Pixels, at most. Empty: it follows from the height."),
    )
    height = models.PositiveIntegerField(
        _("height"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(SIDE_MAX)],
        help_text=_("Pixels, at most. Empty: it follows from the width."),
    )
    fit = models.CharField(_("fit"), max_length=7, choices=Fit, default=Fit.CONTAIN)
    upscale = models.BooleanField(
        _("enlarge"),
        default=False,
        help_text=_("Otherwise a picture that is too small stays as small as it is."),
    )
    focal_x = models.PositiveSmallIntegerField(
        _("focal point, from the left"),
        default=50,
        validators=[MaxValueValidator(100)],
        help_text=_("Percent. What “crop” keeps in view."),
    )
    focal_y = models.PositiveSmallIntegerField(
        _("focal point, from the top"),
        default=50,
        validators=[MaxValueValidator(100)],
        help_text=_("Percent."),
    )
    format = models.CharField(_("format"), max_length=8, choices=Format, default=Format.WEBP)
    quality = models.PositiveSmallIntegerField(
        _("quality"),
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("1 to 100. PNG and GIF have none."),
    )
    effort = models.CharField(
        _("effort"),
        max_length=7,
        choices=Effort,
        default=Effort.FASTER,
        help_text=_("Whether WebP and AVIF are encoded in less time or into fewer bytes."),
    )
    progressive = models.BooleanField(
        _("progressive"), default=True, help_text=_("JPEG shows coarsely first, then sharpens.")
    )
    background = models.CharField(
        _("background"),
        max_length=7,
        default="#ffffff",
        validators=[RegexValidator(r"^#[0-9a-f]{6}\Z", _("Write a colour as #rrggbb."))],
        help_text=_("Fills the rest of a padded box, and transparent parts of what has none."),
    )
    animation = models.CharField(
        _("animation"), max_length=5, choices=Animation, default=Animation.KEEP
    )
    grayscale = models.BooleanField(_("grey scale"), default=False)
    sharpen = models.PositiveSmallIntegerField(
        _("sharpen"),
        default=0,
        validators=[MaxValueValidator(300)],
        help_text=_("Percent; 0 for not at all, 50 to 150 after a strong reduction."),
    )
    srgb = models.BooleanField(
        _("convert colours to sRGB"),
        default=True,
        help_text=_("Otherwise the picture keeps its own colour profile."),
    )
    metadata = models.CharField(
        _("metadata"), max_length=9, choices=Metadata, default=Metadata.COPYRIGHT
    )
    watermark = models.BinaryField(
        _("watermark"), null=True, blank=True, editable=True, validators=[watermark_validate]
    )
    watermark_key = models.CharField(max_length=64, blank=True, editable=False)
    watermark_published_at = models.DateTimeField(null=True, editable=False)
    watermark_position = models.CharField(
        _("watermark's position"), max_length=12, choices=Position, default=Position.BOTTOM_RIGHT
    )
    watermark_width = models.PositiveSmallIntegerField(
        _("watermark's width"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Percent of the variant's width."),
    )
    watermark_opacity = models.PositiveSmallIntegerField(
        _("watermark's opacity"),
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Percent."),
    )
    line_endings = models.CharField(
        _("line endings"), max_length=4, choices=LineEndings, default=LineEndings.LF
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("preset")
        verbose_name_plural = _("presets")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(applies_to="text")
                | models.Q(width__isnull=False)
                | models.Q(height__isnull=False),
                name="preset_has_a_side",
                violation_error_code="no_side",
                violation_error_message=_("Give a width, a height, or both."),
            ),
            models.CheckConstraint(
                condition=models.Q(fit="contain")
                | models.Q(width__isnull=False, height__isnull=False),
                name="preset_box_has_both_sides",
                violation_error_code="no_box",
                violation_error_message=_("To fill a box, it needs a width and a height."),
            ),
            models.CheckConstraint(
                condition=models.Q(applies_to="text", format__in=[*TEXT_FORMATS, Format.ORIGINAL])
                | (~models.Q(applies_to="text") & ~models.Q(format__in=TEXT_FORMATS)),
                name="preset_format_fits",
                violation_error_code="wrong_format",
                violation_error_message=_("Texts do not become pictures, nor pictures texts."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Name the watermark by its bytes."""
        mark = bytes(self.watermark or b"")
        self.watermark_key = hashlib.sha256(mark).hexdigest() if mark else ""

    def recipe(self) -> filetypes.AnyRecipe:
        """Return the preset as the functions take it."""
        if self.applies_to == AppliesTo.TEXT:
            return filetypes.TextRecipe(
                code=self.code,
                version=self.version,
                format=filetypes.TextFormat(self.format),
                line_endings=filetypes.LineEndings(self.line_endings),
            )
        kind = filetypes.PageRecipe if self.applies_to == AppliesTo.PDF else imaging.Recipe
        return kind(
            code=self.code,
            version=self.version,
            format=imaging.Format(self.format),
            width=self.width,
            height=self.height,
            fit=imaging.Fit(self.fit),
            upscale=self.upscale,
            focal_x=self.focal_x,
            focal_y=self.focal_y,
            quality=self.quality,
            effort=imaging.Effort(self.effort),
            progressive=self.progressive,
            background=self.background,
            animation=imaging.Animation(self.animation),
            grayscale=self.grayscale,
            sharpen=self.sharpen,
            srgb=self.srgb,
            metadata=imaging.Metadata(self.metadata),
            watermark=self._watermark(),
        )

    def _watermark(self) -> imaging.Watermark | None:
        if not self.watermark_key:
            return None
        return imaging.Watermark(
            key=self.watermark_key,
            position=imaging.Position(self.watermark_position),
            width=self.watermark_width,
            opacity=self.watermark_opacity,
        )

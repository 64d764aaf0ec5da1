"""A tenant's source files, and the variants made of them."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from conversions.models.presets import AppliesTo
from tenants.models import Tenant


class UploadState(models.TextChoices):
    """Where an upload is: the file is awaited, worked on, all variants are there, or it failed."""

    WAITING = "waiting", _("waiting for the file")
    PROCESSING = "processing", _("processing")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class UploadError(models.TextChoices):
    """Why an upload failed: a code that stays, and what the tenant reads, in their language.

    All but the last three are what a file is refused for, by the same codes (FileRefused).
    """

    EMPTY = "empty", _("The file is empty.")
    NOT_SUPPORTED = "not_supported", _("This is not a file of a kind that can be converted.")
    NOT_AN_IMAGE = "not_an_image", _("This is not a picture of a kind that can be converted.")
    DAMAGED = "damaged", _("The file is damaged or cut off.")
    TOO_MANY_BYTES = "too_many_bytes", _("The file has too many bytes.")
    TOO_MANY_PIXELS = "too_many_pixels", _("The picture has too many pixels.")
    SIDE_TOO_LONG = "side_too_long", _("A side of the picture is too long.")
    TOO_MANY_FRAMES = "too_many_frames", _("The picture has too many frames.")
    TOO_MUCH_MEMORY = "too_much_memory", _("It would take too much memory to convert.")
    TOO_SLOW = "too_slow", _("It takes too long to convert.")
    LOCKED = "locked", _("The document is locked with a password.")
    TOO_MANY_PAGES = "too_many_pages", _("The document has too many pages.")
    PAGE_TOO_LARGE = "page_too_large", _("The first page is too large.")
    TOO_COMPLEX = "too_complex", _("The first page is too complex to be drawn, or is damaged.")
    UNKNOWN_CHARSET = "unknown_charset", _("It is not clear in which character set the text is.")
    NOT_A_TABLE = "not_a_table", _("The table cannot be read: it is broken, or its rows differ.")
    TABLE_TOO_LARGE = "table_too_large", _("The table is too large.")
    NEVER_ARRIVED = "never_arrived", _("The file never arrived.")
    NOT_PROCESSED = "not_processed", _("It could not be processed.")
    GAVE_UP = "gave_up", _("Some variants could not be made, after several tries.")


class ConversionError(models.TextChoices):
    """Why a variant could not be made, though the file is good.

    The first two are known beforehand, or at the first try (VariantRefused); the others are said
    after several tries.
    """

    TOO_MUCH_MEMORY = "too_much_memory", _("It would take too much memory to convert.")
    TOO_SLOW = "too_slow", _("It takes too long to convert.")
    OUT_OF_MEMORY = "out_of_memory", _("It took too much memory.")
    STORAGE = "storage", _("The storage could not be reached.")
    STOPPED = "stopped", _("It was stopped in mid-work: it took too long, or too much memory.")
    UNEXPECTED = "unexpected", _("An unexpected error, which has been logged.")


# The same file may well be converted at another try.
PASSING_ERRORS = frozenset({UploadError.NOT_PROCESSED, UploadError.GAVE_UP})


class Upload(models.Model):
    """One source file. The browser posts it straight to S3; the functions do the rest.

    `state` follows from what the functions have reported so far, in whatever order
    (services/progress.py). `variants_expected` is None until they have looked at the file, `plan`
    is the number of the last plan of the work that was heard of. `checked_at` is when anybody last
    looked after it; the sweep looks at once where it is None.
    `is_table` says that a text has rows, so that it can become another kind of table.
    `requested` has the codes of the presets that it is for, each between spaces; empty: all.
    Whoever knows `public_id` may see the variants; without one they are the tenant's alone.
    `revision` is when that was last changed, or the upload deleted, in milliseconds; it travels
    with the news, and the newest wins. `known_revision` is which of them the functions know.
    An upload with `deleted_at` is gone for everybody; its objects are deleted in the background, by
    `purged_at`. Its row stays as long as a late report could make it anew.
    """

    uuid = models.UUIDField(_("ID"), default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="uploads")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    filename = models.CharField(_("file name"), max_length=255)
    declared_size = models.PositiveBigIntegerField(
        _("declared size"), null=True, help_text=_("Bytes.")
    )
    declared_type = models.CharField(_("declared type"), max_length=100, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=UploadState, default=UploadState.WAITING
    )
    error_code = models.CharField(_("error"), max_length=20, choices=UploadError, blank=True)
    file_type = models.CharField(
        _("kind of file"), max_length=5, choices=AppliesTo, default=AppliesTo.IMAGE
    )
    format = models.CharField(_("format"), max_length=10, blank=True)
    is_table = models.BooleanField(default=False, editable=False)
    width = models.PositiveIntegerField(_("width"), null=True)
    height = models.PositiveIntegerField(_("height"), null=True)
    bytes = models.PositiveBigIntegerField(_("bytes"), null=True)
    public_id = models.UUIDField(_("public id"), null=True, unique=True, editable=False)
    requested = models.TextField(_("requested presets"), blank=True)
    revision = models.PositiveBigIntegerField(_("revision"), default=0, editable=False)
    known_revision = models.PositiveBigIntegerField(_("known revision"), default=0, editable=False)
    variants_expected = models.PositiveSmallIntegerField(_("variants expected"), null=True)
    plan = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created at"))
    checked_at = models.DateTimeField(_("last looked after"), null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)
    purged_at = models.DateTimeField(_("purged at"), null=True, editable=False)

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["tenant", "-created_at", "-id"],
                condition=models.Q(deleted_at=None),
                name="upload_of_tenant",
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state__in=["waiting", "processing"]),
                name="upload_unfinished",
            ),
            models.Index(
                fields=["deleted_at"],
                condition=models.Q(deleted_at__isnull=False),
                name="upload_deleted",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(known_revision__lt=models.F("revision")),
                name="upload_untold",
            ),
        ]

    def __str__(self) -> str:
        return self.filename

    @property
    def is_finished(self) -> bool:
        return self.state in (UploadState.DONE, UploadState.FAILED)

    @property
    def may_retry(self) -> bool:
        """Say whether another try can help."""
        return self.state == UploadState.FAILED and self.error_code in PASSING_ERRORS

    @property
    def source_key(self) -> str:
        """The S3 key that the file is posted to. Needs `tenant`."""
        return f"{self.prefixes[0]}source"

    @property
    def prefixes(self) -> list[str]:
        """Below these S3 keys lies all that belongs to it: first its source, then its variants."""
        place = f"{self.tenant.uuid}/{self.uuid}/"
        return [f"uploads/{place}", f"variants/{place}"]


class ConversionState(models.TextChoices):
    """Where one variant is."""

    WAITING = "waiting", _("waiting")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class Conversion(models.Model):
    """One variant of an upload, made by one version of a preset.

    It waits, or has failed, by the `plan` of this number. One that is there needs no plan.
    """

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="conversions")
    preset_code = models.CharField(_("preset"), max_length=40)
    preset_version = models.PositiveIntegerField(_("preset's version"))
    state = models.CharField(
        _("state"), max_length=7, choices=ConversionState, default=ConversionState.WAITING
    )
    key = models.CharField(_("S3 key"), max_length=255, blank=True)
    format = models.CharField(_("format"), max_length=10, blank=True)
    bytes = models.PositiveBigIntegerField(_("bytes"), null=True)
    width = models.PositiveIntegerField(_("width"), null=True)
    height = models.PositiveIntegerField(_("height"), null=True)
    error_code = models.CharField(_("error"), max_length=20, choices=ConversionError, blank=True)
    plan = models.PositiveIntegerField(default=0, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["upload", "preset_code", "preset_version"], name="conversion_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["preset_code", "preset_version", "finished_at"], name="conversion_of_preset"
            )
        ]

    def __str__(self) -> str:
        return f"{self.upload} → {self.preset_code} v{self.preset_version}"


class VariantViews(models.Model):
    """How often the tenant told us that a variant was delivered, on one UTC day."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="views")
    preset_code = models.CharField(_("preset"), max_length=40)
    day = models.DateField(_("day (UTC)"))
    views = models.PositiveBigIntegerField(_("views"))

    class Meta:
        verbose_name = _("views of a variant")
        verbose_name_plural = _("views of variants")
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["upload", "preset_code", "day"], name="variant_views_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.upload} {self.preset_code} {self.day}: {self.views}"

"""The operator's form for a preset: which fields apply when, a watermark, and errors in place."""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminSelectWidget

from conversions.models import TEXT_FORMATS, AppliesTo, Fit, Format, Preset
from conversions.models.watermarks import MOST_BYTES, watermark_validate

MAKING = ["watermark" if name == "watermark_key" else name for name in Preset.MAKING]

_PICTURES: dict[str, list[str]] = {"applies_to": [AppliesTo.IMAGE, AppliesTo.PDF]}
_MARKED: dict[str, list[str]] = {**_PICTURES, "watermark": ["there"]}

# When a field means anything: for these values of others, or of one of several sets of them.
WHEN: dict[str, list[dict[str, list[str]]]] = {
    "width": [_PICTURES],
    "height": [_PICTURES],
    "fit": [_PICTURES],
    "upscale": [_PICTURES],
    "focal_x": [{**_PICTURES, "fit": [Fit.CROP]}],
    "focal_y": [{**_PICTURES, "fit": [Fit.CROP]}],
    "quality": [{**_PICTURES, "format": [Format.JPEG, Format.WEBP, Format.AVIF, Format.ORIGINAL]}],
    "effort": [{**_PICTURES, "format": [Format.WEBP, Format.AVIF, Format.ORIGINAL]}],
    "progressive": [{**_PICTURES, "format": [Format.JPEG, Format.ORIGINAL]}],
    "background": [
        {**_PICTURES, "fit": [Fit.PAD]},
        {**_PICTURES, "format": [Format.JPEG, Format.GIF, Format.ORIGINAL]},
    ],
    "animation": [
        {"applies_to": [AppliesTo.IMAGE], "format": [form for form in Format if form != "jpeg"]}
    ],
    "grayscale": [_PICTURES],
    "sharpen": [_PICTURES],
    "srgb": [_PICTURES],
    "metadata": [_PICTURES],
    "watermark": [_PICTURES],
    "watermark_position": [_MARKED],
    "watermark_width": [_MARKED],
    "watermark_opacity": [_MARKED],
    "line_endings": [{"applies_to": [AppliesTo.TEXT]}],
}
# Beside which field a demand on several of them is told, by the constraint's code.
BESIDE = {"no_side": "width", "no_box": "height", "wrong_format": "format"}


class RangeWidget(forms.NumberInput):
    """A slider from `low` to `high`, with its value beside it."""

    input_type = "range"
    template_name = "conversions/widgets/range.html"

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.bounds = {"min": low, "max": high}

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().build_attrs(*args, **kwargs), **self.bounds}


class FormatWidget(UnfoldAdminSelectWidget):
    """The formats, each with the kinds of files that come out in it."""

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(*args, **kwargs)
        if option["value"] != Format.ORIGINAL:
            is_text = option["value"] in TEXT_FORMATS
            kinds = [AppliesTo.TEXT] if is_text else _PICTURES["applies_to"]
            option["attrs"]["data-when"] = json.dumps([{"applies_to": kinds}])
        return option


@dataclass(frozen=True)
class Posted:
    """What came of a watermark's widget: a new file, what there was (Base64), whether that goes."""

    file: "UploadedFile[bytes] | None"
    kept: str
    is_removed: bool


class WatermarkWidget(forms.FileInput):
    """A file, beside the watermark that is there. That travels with the form, as Base64.

    So a new one outlives an error elsewhere in the form, and a preview needs nothing saved.
    """

    template_name = "conversions/widgets/watermark.html"

    def format_value(self, value: str | None) -> str:  # type: ignore[override]  # not a file's
        return value or ""

    def value_from_datadict(
        self, data: Mapping[str, Any], files: "MultiValueDict[str, UploadedFile[bytes]]", name: str
    ) -> Posted:
        return Posted(
            file=files.get(name),
            kept=data.get(f"{name}-kept", ""),
            is_removed=bool(data.get(f"{name}-remove")),
        )

    def value_omitted_from_data(
        self, data: Mapping[str, Any], files: "MultiValueDict[str, UploadedFile[bytes]]", name: str
    ) -> bool:
        return name not in files and f"{name}-kept" not in data


class WatermarkField(forms.Field):
    """The bytes of a PNG, or None."""

    widget = WatermarkWidget

    def to_python(self, value: Any) -> bytes | None:
        """Read a Posted."""
        if value.file is not None:
            value.file.seek(0)
            return bytes(value.file.read(MOST_BYTES + 1))
        if value.is_removed or not value.kept:
            return None
        return _decoded(value.kept)

    def validate(self, value: bytes | None) -> None:
        if value is not None:
            watermark_validate(value)

    def bound_data(self, data: Posted, initial: bytes | None) -> bytes | None:
        """Return what to show again: the new one if it is good, else what there was."""
        for posted in (data, replace(data, file=None)):
            try:
                cleaned: bytes | None = self.clean(posted)
            except ValidationError:
                continue
            return cleaned
        return None

    def prepare_value(self, value: bytes | None) -> str:
        return base64.b64encode(bytes(value or b"")).decode()

    def has_changed(self, initial: bytes | None, data: Any) -> bool:
        try:
            return bytes(self.clean(data) or b"") != bytes(initial or b"")
        except ValidationError:
            return True


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode()  # it is no PNG, and will be called so


class PresetForm(forms.ModelForm):  # type: ignore[type-arg]
    """A preset; what does not apply is hidden by the page, by `data-when`, but stays as it is."""

    watermark = WatermarkField(
        label=_("Watermark"),
        required=False,
        help_text=_("A PNG of at most 256 kB and 4 megapixels; transparent parts stay so."),
    )

    class Meta:
        model = Preset
        fields = ["code", "name", "is_active", *MAKING]
        widgets = {
            "format": FormatWidget,
            "background": UnfoldAdminColorInputWidget,
            "quality": RangeWidget(1, 100),
            "sharpen": RangeWidget(0, 300),
            "focal_x": RangeWidget(0, 100),
            "focal_y": RangeWidget(0, 100),
            "watermark_width": RangeWidget(1, 100),
            "watermark_opacity": RangeWidget(1, 100),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in WHEN.keys() & self.fields.keys():  # those that are read-only are none
            self.fields[name].widget.attrs["data-when"] = json.dumps(WHEN[name])

    def _update_errors(self, errors: ValidationError) -> None:
        """Tell a demand on several fields beside the one where it is met most easily."""
        placed: dict[str, list[ValidationError]] = defaultdict(list)
        for field, found in errors.update_error_dict({}).items():
            for error in found:
                placed[BESIDE.get(error.code or "", field)].append(error)
        super()._update_errors(ValidationError(placed))  # type: ignore[misc]  # the stubs lack it


class PreviewForm(PresetForm):
    """What of a preset decides how its variants look. It is never saved."""

    class Meta(PresetForm.Meta):
        fields = MAKING

"""Pictures: everything is done by conversions.imaging."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from conversions import imaging
from conversions.filetypes.base import Header, Made
from conversions.imaging import Recipe, make_variants, plan_units, read_header

_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),  # TIFF and BigTIFF, of either byte order
)
_AVIF = (b"avif", b"avis")
_BITMAPS = {12, 16, 40, 52, 56, 64, 108, 124}  # sizes that the headers of Windows bitmaps have


class Picture:
    """What imaging decodes: JPEG, PNG, WebP, AVIF, GIF, TIFF and BMP."""

    code = "image"

    def recognises(self, data: bytes) -> bool:
        """Say whether it begins as a picture does. "BM" alone would make a picture of BMW."""
        return (
            data.startswith(_STARTS)
            or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")
            or (data[4:8] == b"ftyp" and any(brand in data[8:64] for brand in _AVIF))
            or (data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BITMAPS)
        )

    def inspect(self, data: bytes) -> Header:
        header = read_header(data)
        return Header(header.format, header.width, header.height, header.frames)

    def recipe(self, values: Mapping[str, Any]) -> Recipe:
        return Recipe.from_mapping(values)

    def applicable(self, header: Header, recipes: Sequence[object]) -> list[Recipe]:
        return [each.for_source(header.format) for each in recipes if type(each) is Recipe]

    def plan(self, header: Header, recipes: Sequence[Recipe]) -> list[list[Recipe]]:
        width, height = header.width, header.height
        if width is None or height is None:
            raise ValueError("a picture has sides")
        return plan_units(imaging.Header(header.format, width, height, header.frames), recipes)

    def convert(
        self,
        data: bytes,
        recipes: Sequence[Recipe],
        *,
        watermarks: Mapping[str, bytes],
        seconds: float,
    ) -> Generator[tuple[Recipe, Made], None, None]:
        for recipe, made in make_variants(data, recipes, watermarks=watermarks, seconds=seconds):
            yield recipe, Made(made.data, made.width, made.height)

"""What to paste elsewhere to show an upload's variants: addresses, HTML, Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.html import escape

from conversions import selectors
from conversions.models import Conversion, Upload
from portal.views.uploads.rows import TEXTS

# Better compressed first: a browser takes the first that it knows.
TYPES = {"avif": "image/avif", "webp": "image/webp"}
SIZES = "100vw"


@dataclass(frozen=True)
class Address:
    """One variant's address."""

    conversion: Conversion
    url: str


@dataclass(frozen=True)
class Snippets:
    """Each variant's address, and all of them together: one <picture>, one line of Markdown.

    Both are "" where no variant is a picture.
    """

    addresses: list[Address]
    html: str
    markdown: str


def snippets(upload: Upload, urls: Mapping[int, str]) -> Snippets | None:
    """Return what to paste for the variants that `urls` has an address of; None without any."""
    addresses = [
        Address(each, urls[each.pk])
        for each in selectors.current(upload.conversions.all())
        if each.pk in urls
    ]
    if not addresses:
        return None
    pictures = [each for each in addresses if each.conversion.format not in TEXTS]
    if not pictures:
        return Snippets(addresses, "", "")
    alt = upload.filename.rsplit(".", 1)[0]
    return Snippets(addresses, _html(pictures, alt), _markdown(pictures, alt))


def _html(pictures: list[Address], alt: str) -> str:
    """Return a <picture>: modern formats by <source>, the widest of the others as its <img>.

    A browser takes the first source whose format it knows, and all for the same picture. So cropped
    variants, of other proportions than the widest, are left out, and a format that comes only in
    smaller sizes is for windows no wider than those.
    """
    alike = _alike(pictures)
    others = [each for each in alike if each.conversion.format not in TYPES]
    fallback = _widest(others or alike)
    made = fallback.conversion
    lines = []
    for name, media_type in TYPES.items():
        group = [each for each in alike if each.conversion.format == name]
        if not group or group == [fallback]:
            continue
        most = _widest(group).conversion.width or 0
        media = f' media="(max-width: {most}px)"' if most < (made.width or 0) else ""
        lines.append(
            f'  <source type="{media_type}"{media} srcset="{_srcset(group)}" sizes="{SIZES}">'
        )
    srcset = f' srcset="{_srcset(others)}" sizes="{SIZES}"' if len(others) > 1 else ""
    image = (
        f'<img src="{escape(fallback.url)}"{srcset} width="{made.width}" height="{made.height}" '
        f'alt="{escape(alt)}" loading="lazy">'
    )
    return "\n".join(["<picture>", *lines, f"  {image}", "</picture>"]) if lines else image


def _markdown(pictures: list[Address], alt: str) -> str:
    shown = _widest([each for each in pictures if each.conversion.format not in TYPES] or pictures)
    text = alt.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return f"![{text}]({shown.url})"


def _alike(pictures: list[Address]) -> list[Address]:
    """Return those with the widest one's proportions, within the rounding of a pixel."""
    widest = _widest(pictures).conversion
    return [
        each
        for each in pictures
        if abs(
            (each.conversion.height or 0) * (widest.width or 1)
            - (widest.height or 0) * (each.conversion.width or 0)
        )
        <= (widest.width or 1)
    ]


def _widest(pictures: list[Address]) -> Address:
    return max(pictures, key=lambda each: each.conversion.width or 0)


def _srcset(pictures: list[Address]) -> str:
    by_width = sorted(pictures, key=lambda each: each.conversion.width or 0)
    return ", ".join(f"{escape(each.url)} {each.conversion.width}w" for each in by_width)

"""What of a file's EXIF goes along with its variants. Broken tags cost nothing but themselves.

Where else a file may say whose it is, in XMP or IPTC, is not looked at, and never goes along.
"""

from typing import Any

from PIL import Image
from PIL.ExifTags import IFD, Base

from conversions.imaging.recipe import Metadata

_COPYRIGHT = (Base.Artist, Base.Copyright)
# The orientation is not among them, since pixels are turned; nor a small picture of the source, and
# where the source's own pixels are.
_DESCRIPTIVE = (
    *_COPYRIGHT, Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.HostComputer,
    Base.DateTime, Base.XResolution, Base.YResolution, Base.ResolutionUnit, Base.Rating,
    Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
)  # fmt: skip
_OF_THE_SOURCE = (Base.ExifImageWidth, Base.ExifImageHeight, IFD.Interop)
_MOST_BYTES = 60_000  # a JPEG has 65,533 for all of it


def exif_of(image: Image.Image, what: Metadata) -> bytes:
    """Return the EXIF for a variant of an opened picture; nothing where there is none to keep.

    Of more than a JPEG can hold only copyright and artist are left.
    """
    kept = b"" if what is Metadata.STRIP else _exif(image, all_of_it=what is Metadata.KEEP)
    if len(kept) > _MOST_BYTES:
        kept = _exif(image, all_of_it=False)
    return kept if len(kept) <= _MOST_BYTES else b""


def _exif(image: Image.Image, *, all_of_it: bool) -> bytes:
    written = Image.Exif()
    try:
        read = image.getexif()
        for tag in _DESCRIPTIVE if all_of_it else _COPYRIGHT:
            if tag in read:
                written[tag] = _as_it_was(read[tag])
        for ifd in (IFD.Exif, IFD.GPSInfo) if all_of_it else ():
            tags = {
                tag: _as_it_was(value)
                for tag, value in read.get_ifd(ifd).items()
                if tag not in _OF_THE_SOURCE
            }
            if tags:
                written[ifd] = tags
        return written.tobytes() if written else b""
    except MemoryError:
        raise
    except Exception:  # Pillow raises nearly anything on broken tags
        return b""


def _as_it_was(value: Any) -> Any:
    """Pillow reads text as Latin-1 and writes ASCII, but much of it is UTF-8: the bytes stay."""
    return value.encode("latin-1") if isinstance(value, str) and not value.isascii() else value

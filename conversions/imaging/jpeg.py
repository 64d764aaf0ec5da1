"""Walk a JPEG's markers, without decoding it (ITU-T T.81, B.1), as libjpeg does.

A progressive JPEG comes in scans, each over all of its pixels: one of a few bytes costs nearly as
much time as any, and a decoder that is at work cannot be told to stop.
"""

import re

from conversions.imaging.errors import FileRefused, damaged
from conversions.imaging.limits import MOST_CHUNKS, MOST_SCANS

JPEG_SIGNATURE = b"\xff\xd8\xff"
# Of an end, or of a segment. Others stand among pixels, or are none to libjpeg.
_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")
_END, _SCAN = b"\xd9", b"\xda"


def check_scans(data: bytes) -> None:
    """Raise FileRefused where a JPEG has too many scans, or segments of any kind."""
    at, scans = 2, 0
    for _ in range(MOST_CHUNKS):
        found = _MARKER.search(data, at)
        if found is None or found[1] == _END:
            return
        scans += found[1] == _SCAN
        if scans > MOST_SCANS:
            raise FileRefused("too_slow", f"The picture has more than {MOST_SCANS} scans.")
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    raise damaged()

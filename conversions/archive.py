"""ZIP archives of files in S3, written while they are sent: none is whole in memory or on a disk.

What lies in S3 no more when its turn comes is left out, and named in a text file at the archive's
end. What breaks off in the middle breaks off the archive: its first half is sent already, and a
file that is cut short must not look like a whole one. A download that ends early is an error that
browsers show.
"""

import re
import unicodedata
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from zipstream import ZIP_DEFLATED, ZIP_STORED, ZipStream

from conversions import backend

MISSING = "missing.txt"
LONGEST = 200  # bytes of a name: file systems take 255, and a number may come
COMPRESSIBLE = frozenset({"csv", "json", "txt", "bmp", "tiff"})  # the others are packed already
UNSAFE = frozenset('<>:"/\\|?*')  # what Windows refuses in a name, and what is no name anywhere
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One file: where it lies in S3, and the name that is wished for it."""

    key: str
    name: str


def archive(entries: Iterable[Entry]) -> Generator[bytes, None, None]:
    """Write the archive, in pieces, as it is read. Raise BackendError where S3 breaks off."""
    zipped, names = ZipStream(), Names()
    missing = []
    for entry in entries:
        pieces = backend.object_pieces(key=entry.key)
        if pieces is None:
            missing.append(entry.name)
            continue
        name = names.take(entry.name)
        extension = name.rsplit(".", 1)[-1].lower()
        kind = ZIP_DEFLATED if extension in COMPRESSIBLE else ZIP_STORED
        zipped.add(pieces, name, compress_type=kind)
        yield from zipped.all_files()
    if missing:
        zipped.add("".join(f"{name}\n" for name in missing), names.take(MISSING))
    yield from zipped.finalize()


class Names:
    """Names for files side by side in one folder: safe on every system, and none twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wish: str) -> str:
        """Return a name near to the one that is wished for; capital letters make no difference."""
        stem, dot, extension = safe(wish).rpartition(".")
        if not stem:
            stem, dot, extension = extension, "", ""
        name, number = f"{stem}{dot}{extension}", 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem} ({number}){dot}{extension}"
        self._taken.add(name.casefold())
        return name


def safe(wish: str) -> str:
    """Return a name that is one on every system: no path, nothing hidden, not too long."""
    name = unicodedata.normalize("NFC", wish)
    name = "".join("_" if _is_unsafe(character) else character for character in name)
    name = name.strip(" .") or "file"
    if RESERVED.match(name):
        name = f"_{name}"
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 10:
        stem, dot, extension = name, "", ""
    most = LONGEST - len(extension.encode())
    return stem.encode()[:most].decode(errors="ignore").rstrip(" .") + dot + extension


def _is_unsafe(character: str) -> bool:
    return character in UNSAFE or unicodedata.category(character)[0] == "C"

"""A tenant's export: one ZIP of what every app knows of it, written while it is sent.

Each file waits on a disk until it is whole, so that one that fails is named in README.txt, and
breaks nothing. README.txt comes last, because only then all of that is known.
"""

import tempfile
from collections.abc import Generator, Iterable, Iterator
from typing import IO

from django.utils.translation import gettext as _
from django.utils.translation import override
from zipstream import ZIP_DEFLATED, ZIP_STORED, ZipStream

import billing.selectors.export
import conversions.selectors.export
import tenants.selectors.export
from tenants.export import Folder, Part, PartMissing
from tenants.models import Tenant

README = "README.txt"
IN_MEMORY = 1_000_000  # bytes of a file, before it goes to a disk
PIECE = 65_536  # bytes that are sent at once
PACKED = (".csv", ".json", ".txt")  # others are packed already


def export(*, tenant: Tenant, language: str) -> Generator[bytes, None, None]:
    """Write the archive, in pieces, as it is read; its README is in `language`."""
    zipped = ZipStream()
    contents: list[tuple[str, str]] = []
    missing: list[tuple[str, str]] = []
    for each in _parts(tenant):
        with override(language):
            contents.append((each.path, str(each.about)))
        prefix, parts = ("", iter([each])) if isinstance(each, Part) else (each.path, each.parts())
        for part in parts:
            path = prefix + part.path
            with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
                try:
                    _write(part.pieces(), file)
                except PartMissing as why:
                    with override(language):
                        missing.append((path, str(why.args[0])))
                    continue
                kind = ZIP_DEFLATED if path.endswith(PACKED) else ZIP_STORED
                zipped.add(_read(file), path, compress_type=kind)
                yield from zipped.all_files()
    with override(language):
        text = _readme(tenant, contents, missing)
    zipped.add(text, README)
    yield from zipped.finalize()


def _parts(tenant: Tenant) -> Iterator[Part | Folder]:
    yield from tenants.selectors.export.export_parts(tenant=tenant)
    yield from billing.selectors.export.export_parts(tenant=tenant)
    yield from conversions.selectors.export.export_parts(tenant=tenant)


def _write(pieces: Iterable[bytes], file: IO[bytes]) -> None:
    for piece in pieces:
        file.write(piece)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def _readme(
    tenant: Tenant, contents: Iterable[tuple[str, str]], missing: list[tuple[str, str]]
) -> str:
    lines = [_("What %(name)s has at Sekisho") % {"name": tenant.name}, ""]
    lines += [f"{path}\n    {about}" for path, about in contents]
    lines += ["", _("Times are in UTC; CSV files are in UTF-8. No file holds a secret.")]
    if missing:
        lines += ["", _("These files could not be had:")]
        lines += [f"{path}\n    {why}" for path, why in missing]
    return "\n".join(lines) + "\n"

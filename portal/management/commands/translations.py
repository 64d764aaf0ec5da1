"""`manage.py translations`: compile the catalogues in `locale/`, where Django reads them.

Django's own `compilemessages` calls gettext, which a machine that only has Python lacks; Babel
writes the same files. Compiled catalogues are not in the repository, and a running process has read
its own already: run this before anything starts.
"""

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Compile every catalogue that has changed since it was compiled."

    def handle(self, *_args: Any, **_options: Any) -> None:
        for folder in settings.LOCALE_PATHS:
            for source in sorted(Path(folder).glob("*/LC_MESSAGES/django.po")):
                if catalogue_compile(source):
                    self.stdout.write(f"Compiled the catalogue of {source.parts[-3]}.")


def catalogue_compile(source: Path) -> bool:
    """Write the .mo of this .po beside it, unless it is there; return whether it was written.

    A .mo carries the modification time of the .po that it was made of, so an edit while we read, or
    an older .po checked out again, is compiled the next time. It takes its place as a whole: others
    may be reading it, or writing it, now.

    Raises:
        CommandError: the .po is broken; the message names the file and what is wrong.
    """
    target = source.with_suffix(".mo")
    changed = source.stat().st_mtime_ns
    if target.exists() and target.stat().st_mtime_ns == changed:
        return False
    try:
        with source.open("rb") as file:
            catalogue = read_po(file, locale=source.parts[-3], abort_invalid=True)
    except (PoFileError, UnicodeDecodeError) as error:
        raise CommandError(f"{source} cannot be compiled: {error}") from error
    unfinished = target.with_name(f"{os.getpid()}.mo")
    with unfinished.open("wb") as file:
        write_mo(file, catalogue)
    os.utime(unfinished, ns=(changed, changed))
    unfinished.replace(target)
    return True

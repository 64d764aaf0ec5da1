"""Bytes of a text to characters: in which character set is it written?

A byte order mark settles it. Otherwise it is UTF-8 if it can be, since text in another set is
hardly ever valid UTF-8 by accident. The rest is a guess, the better the longer the text is:
charset-normalizer weighs which of the sets below makes the most sensible text of it, and where
several make as much, the first is taken. What is UTF-8 but for a few bytes is refused: every other
set would make a mess of it.
"""

import codecs
import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from conversions.imaging import FileRefused

# By how likely a file of theirs is. Windows' sets have all that is in ISO's, and more.
CHARSETS = [
    *("cp932", "euc_jp", "gb18030", "cp950", "cp949"),
    *("cp1252", "cp1250", "cp1251", "koi8_r", "iso8859_2"),
    *("cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
]
_MARKS = (  # UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JAPANESE_MAIL = re.compile(rb"\x1b[$(]")  # ISO-2022-JP goes from set to set by such sequences
_BINARY = re.compile(
    rb"[\0-\x08\x0e-\x19\x1c-\x1f]"
)  # no text has them, but 1A (end) and 1B (escape)
_CONTROLS = re.compile("[\0-\x08\x0e-\x19\x1c-\x1f\x80-\x84\x86-\x9f]")
_LOOKED_AT, _WEIGHED = 65_536, 100_000  # bytes
_NEARLY = 10  # good characters for each bad one


def is_text(data: bytes) -> bool:
    """Say whether this looks like text in any character set at all."""
    return _mark(data) is not None or _BINARY.search(data, 0, _LOOKED_AT) is None


def decoded(data: bytes) -> str:
    """Return the text, without its byte order mark. Raise FileRefused."""
    for charset in _candidates(data):
        try:
            text = data.decode(charset)
        except UnicodeDecodeError:
            continue
        if not _CONTROLS.search(text):
            return text.removeprefix("\ufeff")
    raise FileRefused("unknown_charset", "It is not clear in which character set this text is.")


def _candidates(data: bytes) -> Iterator[str]:
    if charset := _mark(data):
        yield charset
        return
    if _JAPANESE_MAIL.search(data):
        yield "iso2022_jp_ext"
    yield "utf-8"
    yield from _guesses(data)


def _mark(data: bytes) -> str | None:
    return next((charset for mark, charset in _MARKS if data.startswith(mark)), None)


def _guesses(data: bytes) -> list[str]:
    """Return the sets that this may be in, the likeliest first."""
    telling = _telling(data)
    characters = telling.decode("utf-8", "replace")
    bad = characters.count("\ufffd")
    if sum(not each.isascii() for each in characters) > bad * (1 + _NEARLY):
        raise FileRefused("damaged", "The text is UTF-8, but broken in places.")
    found = from_bytes(telling, cp_isolation=CHARSETS)
    ranked = sorted(
        found, key=lambda each: (each.chaos, -each.coherence, CHARSETS.index(each.encoding))
    )
    return [each.encoding for each in ranked]


def _telling(data: bytes) -> bytes:
    """Return lines that tell something: those that are not ASCII, as many as are worth the time.

    No character of these sets has a byte like a line's end in it, so none is cut in two.
    """
    lines, size = [], 0
    for line in data.splitlines():
        if not line.isascii():
            lines.append(line)
            size += len(line)
        if size > _WEIGHED:
            break
    return b"\n".join(lines)

"""Where a line may end: between words, or between Japanese signs, but not before a closing sign.

fpdf2 ends lines between any two signs of Japanese. The rules are those of JIS X 4051 (禁則処理), as
far as invoices need them.
"""

import re
from collections.abc import Callable

_OPENS = "（「『【〔［｛〈《"
_CLOSES = "）」』】〕］｝〉》、。，．・：；！？ーゝゞヽヾ々〜～…" + (
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ"
)
_JAPANESE = "\u2e80-\uffef\U00020000-\U0003ffff"  # and Chinese and Korean, whose signs stand alone
_PIECES = re.compile(rf"\s+|[{_OPENS}]*(?:[^\s{_JAPANESE}]+|[^\s{_OPENS}])[{_CLOSES}]*|[{_OPENS}]+")


def lines_of(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Return the lines that a text takes, where `fits` says whether a line is short enough.

    A piece that has no place in a line of its own is broken where the line is full.
    """
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _PIECES.findall(paragraph):
            if fits((line + piece).rstrip()):
                line += piece
                continue
            if line.strip():
                lines.append(line.rstrip())
            line = ""
            for sign in piece.lstrip():
                if line and not fits(line + sign):
                    lines.append(line)
                    line = ""
                line += sign
        lines.append(line.rstrip())
    return lines

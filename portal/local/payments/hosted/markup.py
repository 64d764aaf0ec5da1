"""HTML from files: `string.Template`, with everything escaped that is not already Markup."""

import html
from functools import cache
from pathlib import Path
from string import Template

_PAGES = Path(__file__).parent / "pages"


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


@cache
def _template(name: str) -> Template:
    return Template((_PAGES / f"{name}.html").read_text(encoding="utf-8"))


def fill(page: str, /, **values: str) -> Markup:
    """The page or fragment `pages/{page}.html` with its placeholders filled in."""
    escaped = {
        key: value if isinstance(value, Markup) else html.escape(value)
        for key, value in values.items()
    }
    return Markup(_template(page).substitute(escaped))

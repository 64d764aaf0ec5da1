"""What a file type is: the adapter that each of them is, and what it says and makes."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class Header:
    """What a file is, seen without converting it.

    `format` is "JPEG", "PDF", "CSV", …. A picture's sides are in pixels, a page's in points (1/72
    inch); a text has none. `frames` counts a picture's frames, or a document's pages. `is_table`
    says that a text has rows, so that it can become another kind of table.
    """

    format: str
    width: int | None = None
    height: int | None = None
    frames: int = 1
    is_table: bool = False

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Header":
        """Read a header as DynamoDB or a message carries it, whatever else that says."""
        sides = {side: _number(values.get(side)) for side in ("width", "height")}
        return cls(
            format=values["format"],
            frames=int(values.get("frames", 1)),
            is_table=bool(values.get("is_table")),
            **sides,
        )

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """A variant: its bytes and, of a picture, its size in pixels."""

    data: bytes
    width: int | None = None
    height: int | None = None


class FileType(Protocol[R]):
    """What is done with one kind of file. `code` is what presets say that they apply to.

    Everything that is refused for good is FileRefused.
    """

    code: str

    def recognises(self, data: bytes) -> bool:
        """Say whether these bytes are meant to be such a file, even a broken one."""

    def inspect(self, data: bytes) -> Header:
        """Look at a file, and check its limits, without converting it. Raise FileRefused."""

    def recipe(self, values: Mapping[str, Any]) -> R:
        """Read a preset's mapping. Raise KeyError or ValueError."""

    def applicable(self, header: Header, recipes: Sequence[object]) -> list[R]:
        """Return those recipes that apply to a file, "original" replaced by what it is."""

    def plan(self, header: Header, recipes: Sequence[R]) -> list[list[R]]:
        """Divide what is applicable into units of work, each for one `convert`."""

    def convert(
        self,
        data: bytes,
        recipes: Sequence[R],
        *,
        watermarks: Mapping[str, bytes],
        seconds: float,
    ) -> Generator[tuple[R, Made], None, None]:
        """Make variants, in whatever order they are ready. Raise FileRefused.

        Once closed, nothing is made any more.

        `watermarks` has the bytes of each that a recipe names, by its key.
        """


def _number(value: Any) -> int | None:
    return None if value is None else int(value)

"""Names that the portal and the functions both write and read. They import nothing for it.

A variant's file is CODE-vVERSION.EXTENSION: a function of the preset and its version alone.
"""

from datetime import datetime


def variant_name(code: str, version: int, extension: str) -> str:
    return f"{code}-v{version}.{extension}"


def variant_of(name: str) -> tuple[str, int]:
    """Read a variant's name: the preset's code, and its version. Raise ValueError."""
    code, _, version = name.rpartition(".")[0].rpartition("-v")
    return code, int(version)


def listing_place(*, upload: str, created_at: datetime) -> str:
    """Return an upload's place among its tenant's, by age: no two have the same."""
    return f"{int(created_at.timestamp() * 1000):013d}-{upload}"

"""What the story expects, and what it says where that does not come."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class NotAsItShouldBe(Exception):
    """str() says what was expected and what was there."""


def expect(what: str, seen: object, wanted: object) -> None:
    """Raise NotAsItShouldBe unless `seen` is `wanted`."""
    if seen != wanted:
        raise NotAsItShouldBe(f"{what}: expected {wanted!r}, but it is {seen!r}")


def wait_for(what: str, look: Callable[[], T], wanted: T, *, seconds: float) -> float:
    """Look until it is as `wanted`; return the seconds that it took.

    Raise NotAsItShouldBe once `seconds` have passed.
    """
    started = time.monotonic()
    while (seen := look()) != wanted:
        if time.monotonic() - started > seconds:
            raise NotAsItShouldBe(f"{what}: not {wanted!r} within {seconds:g} s, but {seen!r}")
        time.sleep(0.05)
    return time.monotonic() - started

"""What the commands that do beat's work now and here share: a bar, and who could not be served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from django.core.management.base import CommandError
from tqdm import tqdm


def bar_of(unit: str) -> tqdm[NoReturn]:
    """Return a bar that counts units, on a terminal only."""
    return tqdm(disable=None, unit=f" {unit}", leave=False)


def progress_of(bar: tqdm[NoReturn]) -> Callable[[int, int], None]:
    """Return what moves a bar to so many done of so many."""

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress


def failed_raise(failed: Mapping[str, str]) -> None:
    """Raise CommandError where some failed; `failed` maps each to the reason."""
    if failed:
        reasons = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise CommandError(f"{len(failed)} failed: {reasons}")

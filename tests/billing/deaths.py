"""Processes that die at a call to Stripe, which has heard of it or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from billing import payments


@contextmanager
def killed(when: str, name: str) -> Iterator[None]:
    """Kill what is done within "before" or "after" a call of `billing.payments`, once it comes."""
    real = getattr(payments, name)

    def die(**parameters: Any) -> None:
        if when == "after":
            real(**parameters)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(payments, name, die)
        with pytest.raises(KeyboardInterrupt):
            yield

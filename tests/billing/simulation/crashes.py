"""A process that dies, or loses an answer, at one of its calls to Stripe or its commits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import pytest
from django.db import connection
from django.db.transaction import Atomic

from billing import payments
from billing.payments import cards, charges, checkout, client, disputes, refunds

_CALLERS = (cards, charges, checkout, client, disputes, refunds)


class Died(BaseException):
    """What no `except Exception` catches."""


class How(StrEnum):
    """What happens, and whether before the call or the commit takes effect, or after."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    LOST_BEFORE = "lost before"
    LOST_AFTER = "lost after"


class Crashes:
    """Strikes once, at the `at`-th call or commit from 1 on, if it comes to that; without a `how`
    never.
    """

    def __init__(self, how: How | None, at: int) -> None:
        self._how, self._left = how, at if how else 0
        self._call, self._exit = client.call, Atomic.__exit__

    @classmethod
    @contextmanager
    def patched(cls, how: How | None, at: int) -> Iterator[None]:
        """Have calls and commits go through here."""
        crashes = cls(how, at)

        def ending(atomic: Atomic, *error: Any) -> None:
            crashes._ending(atomic, *error)

        with pytest.MonkeyPatch.context() as patch:
            for module in _CALLERS:
                patch.setattr(module, "call", crashes._calling)
            patch.setattr(Atomic, "__exit__", ending)
            yield

    @property
    def is_loss(self) -> bool:
        return self._how in {How.LOST_BEFORE, How.LOST_AFTER}

    def _strikes(self) -> bool:
        self._left -= 1
        return self._left == 0

    def _calling(self, what: str, call: Callable[[], Any]) -> Any:
        if not self._strikes():
            return self._call(what, call)
        if self._how in {How.DIES_AFTER, How.LOST_AFTER}:
            self._call(what, call)
        raise payments.PaymentUnavailable(f"{what}: lost") if self.is_loss else Died(what)

    def _ending(self, atomic: Atomic, kind: Any, error: Any, trace: Any) -> None:
        """End a transaction; a commit is that of the outermost."""
        is_commit = kind is None and len(connection.atomic_blocks) == 1
        if not is_commit or self.is_loss or not self._strikes():
            self._exit(atomic, kind, error, trace)
            return
        died = Died("commit")
        if self._how == How.DIES_BEFORE:
            self._exit(atomic, Died, died, None)
        else:
            self._exit(atomic, None, None, None)
        raise died

"""What several of these tests need: one more person, a dying worker, and who is sent webhooks."""

from collections.abc import Callable, Iterator

import pytest

from tenants import gateway
from tenants.models import User
from tests.receiver import Receiver
from tests.tenants.webhooks import Clock


@pytest.fixture
def alice_user(db: None) -> User:
    """Somebody for a tenant on a plan of the test's own."""
    return User.objects.create_user("alice@example.org", "barrier-station-53")


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Make the worker die at the next call of an operation, before or after its effect."""
    real = gateway._call
    armed: dict[str, str] = {}

    def _call(operation: str, **parameters: object) -> dict[str, object]:
        when = armed.pop(operation, "")
        if when == "before":
            raise KeyboardInterrupt
        answer = real(operation, **parameters)  # type: ignore[arg-type]
        if when == "after":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(gateway, "_call", _call)
    yield armed.__setitem__
    assert not armed, "the call that was to die was never made"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Clock:
    return Clock()

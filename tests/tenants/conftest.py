"""What several of these tests need: one more person, what goes wrong, and who is sent webhooks."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from django.conf import LazySettings

from portal.local.aws.server import LocalAWS
from tenants import gateway
from tenants.models import User
from tests.receiver import Receiver
from tests.tenants.webhooks import Clock

LAG = 45 * 60  # seconds


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
def late(
    request: pytest.FixtureRequest, local_aws: LocalAWS, settings: LazySettings
) -> Iterator[None]:
    """Usage is told 45 minutes late, or as many seconds as asked for, and the settings know it."""
    seconds: int = getattr(request, "param", LAG)
    settings.USAGE_LAG_SECONDS, settings.USAGE_SETTLE_SECONDS = seconds, 60 * 60 if seconds else 0
    settings.LIVE_MARGIN_SECONDS = 0  # the simulation's meter is exact, and its clock stands still
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": seconds}).raise_for_status()
    yield
    httpx.post(f"{local_aws.url}/_sekisho/usage-lag", json={"seconds": 0}).raise_for_status()
    httpx.post(f"{local_aws.url}/_sekisho/clock", json={"now": None}).raise_for_status()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Clock:
    return Clock()

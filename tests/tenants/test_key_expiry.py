"""People are told that a key expires: in time, once each, by mail and as news."""

from datetime import UTC, datetime, timedelta

import pytest

from tenants import services
from tenants.models import ApiKey, Mail, Member, OutboxEvent, Role
from tenants.services import key_ends, mails
from tests.cast import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EXPIRES_AT = datetime(2026, 12, 1, tzinfo=UTC)


def expire(key: ApiKey, at: datetime | None, *, now: datetime = NOW) -> None:
    services.api_key_update(api_key=key, name=key.name, expires_at=at, actor=None, now=now)


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    key = cast.alice_corp.api_keys.get()
    expire(key, EXPIRES_AT)
    return key


def test_seven_days_and_one_day_before_to_those_who_may_change_keys(
    cast: Cast, key: ApiKey
) -> None:
    Member.objects.create(
        tenant=cast.alice_corp, user=cast.charlie, role=Role.BILLING, created_at=NOW
    )
    cast.alice_corp.language = "ja"
    cast.alice_corp.save()
    moments = [
        (EXPIRES_AT - 8 * DAY, 0), (EXPIRES_AT - 7 * DAY, 1), (EXPIRES_AT - 6 * DAY, 0),
        (EXPIRES_AT - DAY, 1), (EXPIRES_AT - DAY / 2, 0), (EXPIRES_AT, 0),
    ]  # fmt: skip
    for now, told in moments:
        assert key_ends.keys_tell(now=now) == told
        assert key_ends.keys_tell(now=now) == 0
    assert sorted(Mail.objects.values_list("to", flat=True)) == [
        "alice@example.com", "alice@example.com", "bob@example.com", "bob@example.com",
    ]  # fmt: skip
    news = OutboxEvent.objects.filter(kind="key.expires")
    assert {each.payload["expires_at"] for each in news} == {EXPIRES_AT.isoformat()}
    assert news.count() == 2
    message = mails.message(Mail.objects.latest("pk"))
    assert message.subject == "API キー「default」は2026年11月30日まで使えます"
    assert "/keys/" in message.body
    ((html, kind),) = message.alternatives
    assert (kind, message.subject in str(html)) == ("text/html", True)


def test_of_an_expiry_that_was_just_set_nobody_needs_to_be_told(key: ApiKey) -> None:
    expire(key, NOW + 3 * DAY)
    assert key_ends.keys_tell(now=NOW) == 0
    assert key_ends.keys_tell(now=NOW + 2 * DAY) == 1
    expire(key, NOW + 10 * DAY, now=NOW + 2 * DAY)
    assert key_ends.keys_tell(now=NOW + 2 * DAY) == 0
    assert key_ends.keys_tell(now=NOW + 3 * DAY) == 1
    services.api_key_revoke(api_key=key, actor=None, now=NOW)
    assert key_ends.keys_tell(now=NOW + 9 * DAY) == 0


def test_one_tenants_failure_stops_no_others(
    cast: Cast, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    expire(cast.charlie_corp.api_keys.get(), EXPIRES_AT + DAY / 2)
    real = mails.mail_members

    def failing(**asked: object) -> list[Mail]:
        if asked["tenant"] == cast.alice_corp:
            raise RuntimeError("no room")
        return real(**asked)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as patch:
        patch.setattr("tenants.services.key_ends.mail_members", failing)
        assert key_ends.keys_tell(now=EXPIRES_AT - DAY) == 1
    assert not OutboxEvent.objects.filter(kind="key.expires", tenant=cast.alice_corp).exists()
    assert key_ends.keys_tell(now=EXPIRES_AT - DAY) == 1

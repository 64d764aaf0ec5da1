"""The keys page and what the API says of keys: how many, where each value stands, until when."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tenants.models import ApiKey, Meter, UsageDay, UsagePlan, VersionStatus
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast, client: Client) -> Client:
    client.force_login(cast.alice)
    client.get("/dashboard/")  # where the first key's value is shown
    return client


@pytest.fixture
def key(cast: Cast) -> ApiKey:
    return ApiKey.objects.get(tenant=cast.alice_corp)


def test_a_full_plan_points_to_the_plans(alice: Client, key: ApiKey) -> None:
    UsagePlan.objects.update(most_keys=1)
    page = alice.get("/keys/").content.decode()
    assert "1 of 1 key of the plan Free" in page
    assert "Your plan has no more keys" in page
    assert 'action="/keys/create/"' not in page
    refused = alice.post("/keys/create/", {"name": "more"})
    assert refused.status_code == 400
    assert "change to a plan with more" in str(refused.context["form"].errors["name"])


def test_a_rotated_key_shows_both_values_until_the_old_one_ends(alice: Client, key: ApiKey) -> None:
    old = key.versions.get()
    key.versions.update(status=VersionStatus.ACTIVE)
    address = f"/keys/{key.uuid}/rotate/"
    for asked in ({"overlap": "day"}, {"overlap": "day", "until": "2020-01-01"}):
        page = alice.post(address, asked, follow=True)
        assert "Choose the day until which the old value works." in page.content.decode()
    assert key.versions.count() == 1
    until = timezone.now().date() + timedelta(days=3)
    page = alice.post(address, {"overlap": "day", "until": until.isoformat()}, follow=True)
    assert page.context["new_value"]
    old.refresh_from_db()
    assert old.retires_at == datetime.combine(until + timedelta(days=1), time.min, tzinfo=UTC)
    (row,) = page.context["keys"]
    assert (row["state"], row["old"]) == (VersionStatus.PENDING, old)
    shown = page.content.decode()
    shown_of_old = shown.partition('data-testid="old-value"')[2]
    assert f"…{old.last_four}" in shown_of_old
    assert "and until the new value works" in shown_of_old
    assert "The new value does not work yet." in shown
    (listed,) = alice.get("/api/v1/keys/").json()
    assert listed["old_last_four"] == old.last_four
    assert (listed["created_by"], listed["last_used"]) == ("alice@example.com", None)
    day = timezone.now().date()
    UsageDay.objects.create(
        tenant=key.tenant,
        version=old,
        meter=Meter.REQUESTS,
        day=day,
        used=1,
        read_at=timezone.now(),
    )
    assert alice.get("/api/v1/keys/").json()[0]["last_used"] == day.isoformat()
    (row,) = alice.get("/keys/").context["keys"]
    assert (row["last_used"], row["old_last_used"]) == (day, day)
    alice.post(f"/keys/{key.uuid}/end-old/")
    assert 'data-testid="old-value"' not in alice.get("/keys/").content.decode()
    assert alice.get("/api/v1/keys/").json()[0]["old_last_four"] is None


def test_a_key_is_renamed_and_expires(alice: Client, key: ApiKey) -> None:
    tomorrow = timezone.now().date() + timedelta(days=1)
    address = f"/keys/{key.uuid}/edit/"
    page = alice.post(address, {"name": "", "last_day": "2020-01-01"}, follow=True)
    assert "This field is required" in page.content.decode()
    page = alice.post(address, {"name": "live", "last_day": "2020-01-01"}, follow=True)
    assert "expired already" in page.content.decode()
    page = alice.post(address, {"name": "live", "last_day": tomorrow.isoformat()}, follow=True)
    (row,) = page.context["keys"]
    assert (row["name"], row["last_day"]) == ("live", tomorrow)
    # The API takes any moment, and the page leaves it where it is while its day is the same.
    at = datetime.combine(tomorrow, time(14), tzinfo=UTC)
    answer = alice.put(
        f"/api/v1/keys/{key.uuid}/",
        {"name": "live", "expires_at": at.isoformat()},
        content_type="application/json",
    )
    assert datetime.fromisoformat(answer.json()["expires_at"]) == at
    alice.post(address, {"name": "live 2", "last_day": tomorrow.isoformat()})
    key.refresh_from_db()
    assert (key.name, key.expires_at) == ("live 2", at)
    alice.post(address, {"name": "live 2", "last_day": ""})
    key.refresh_from_db()
    assert key.expires_at is None


def test_the_api_rotates_with_an_overlap_of_a_day_unless_told(alice: Client, key: ApiKey) -> None:
    address = f"/api/v1/keys/{key.uuid}/rotate/"
    for asked, seconds in (({}, 86400), ({"overlap_seconds": 60}, 60)):
        key.versions.update(status=VersionStatus.ACTIVE)
        before = timezone.now()
        answer = alice.post(address, asked, content_type="application/json")
        assert answer.status_code == 201
        retires_at = datetime.fromisoformat(answer.json()["old_retires_at"])
        after = timezone.now()
        assert before <= retires_at - timedelta(seconds=seconds) <= after
    bad = alice.post(address, {"overlap_seconds": -1}, content_type="application/json")
    assert bad.status_code == 400
    assert alice.post(f"/api/v1/keys/{key.uuid}/end-old/").status_code == 204


def test_a_failed_key_says_why_and_is_tried_again(alice: Client, key: ApiKey) -> None:
    key.versions.update(status=VersionStatus.FAILED, error="too many keys")
    page = alice.get("/keys/").content.decode()
    assert "too many keys" in page
    assert f'action="/keys/{key.uuid}/retry/"' in page
    alice.post(f"/keys/{key.uuid}/retry/")
    assert key.versions.get().status == VersionStatus.PENDING

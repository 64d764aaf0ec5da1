"""Live days beside what is billed, once that has settled; who should look is told."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenants.models import (
    ApiKeyVersion,
    GatewayPlan,
    LiveDay,
    LiveMeter,
    Meter,
    UsageDay,
    User,
)
from tenants.services.live_compare import live_compare
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 11, tzinfo=UTC)
NOW = MIDNIGHT + timedelta(hours=3)


@pytest.fixture
def version(cast: Cast) -> ApiKeyVersion:
    """Alice's version, metered since the day before, at a gateway that was read just now."""
    version = ApiKeyVersion.objects.get(api_key__tenant=cast.alice_corp)
    LiveMeter.objects.create(
        pk=LiveMeter.ONLY, newest_at=NOW, read_to=NOW, complete_since=MIDNIGHT - timedelta(days=2)
    )
    counted(version, 1, day=DAY - timedelta(days=1))
    GatewayPlan.objects.update(gateway_id="plan", read_at=NOW)
    return version


def counted(version: ApiKeyVersion, requests: int, day: date = DAY) -> LiveDay:
    return LiveDay.objects.create(
        version=version, day=day, requests=requests, throttled=0, refused=0
    )


def used(version: ApiKeyVersion, requests: int) -> None:
    UsageDay.objects.create(
        tenant=version.api_key.tenant, version=version, meter=Meter.REQUESTS, day=DAY,
        gateway_plan=GatewayPlan.objects.all()[UsageDay.objects.count()], used=requests,
        read_at=NOW,
    )  # fmt: skip


def billed() -> list[tuple[int, int | None]]:
    return list(LiveDay.objects.filter(day=DAY).values_list("requests", "billed"))


def test_a_settled_day_is_compared_over_all_plans(version: ApiKeyVersion) -> None:
    counted(version, 50)
    used(version, 30)
    used(version, 21)
    assert live_compare(now=NOW) == 1
    assert billed() == [(50, 51)]
    assert live_compare(now=NOW) == 0


@override_settings(USAGE_LAG_SECONDS=2700, USAGE_SETTLE_SECONDS=3600)
def test_before_the_gateway_has_caught_up_nothing_is_compared(version: ApiKeyVersion) -> None:
    counted(version, 50)
    whole_at = MIDNIGHT + timedelta(seconds=2700 + 3600)
    GatewayPlan.objects.update(read_at=whole_at - timedelta(seconds=1))
    assert live_compare(now=NOW) == 0
    assert billed() == [(50, None)]
    GatewayPlan.objects.update(read_at=whole_at)
    assert live_compare(now=NOW) == 1


def test_while_the_meter_is_behind_nothing_is_compared(version: ApiKeyVersion) -> None:
    counted(version, 50)
    margin = timedelta(seconds=settings.LIVE_MARGIN_SECONDS)
    for field in ("newest_at", "read_to"):
        LiveMeter.objects.update(**{field: MIDNIGHT + margin - timedelta(seconds=1)})
        assert live_compare(now=NOW) == 0
        LiveMeter.objects.update(**{field: MIDNIGHT + margin})
    assert live_compare(now=NOW) == 1


def test_the_number_of_keys_does_not_change_the_number_of_queries(
    version: ApiKeyVersion, cast: Cast
) -> None:
    other = ApiKeyVersion.objects.get(api_key__tenant=cast.charlie_corp)
    queries = []
    for versions in ([version], [version, other]):
        for each in versions:
            LiveDay.objects.update_or_create(
                version=each, day=DAY,
                defaults={"requests": 5, "throttled": 0, "refused": 0, "billed": None},
            )  # fmt: skip
        with CaptureQueriesContext(connection) as captured:
            assert live_compare(now=NOW) == len(versions)
        queries.append(len(captured))
    assert queries[0] == queries[1]
    assert billed() == [(5, 0), (5, 0)]


def test_a_key_that_was_not_billed_and_one_that_was_not_metered_both_show(
    version: ApiKeyVersion, cast: Cast
) -> None:
    other = ApiKeyVersion.objects.get(api_key__tenant=cast.charlie_corp)
    counted(version, 50)
    used(other, 7)
    assert live_compare(now=NOW) == 2
    assert sorted(billed()) == [(0, 7), (50, 0)]


def test_a_revised_figure_is_noted_again(version: ApiKeyVersion) -> None:
    counted(version, 50)
    used(version, 30)
    live_compare(now=NOW)
    UsageDay.objects.update(used=50)
    assert live_compare(now=NOW) == 1
    assert billed() == [(50, 50)]


def test_the_day_on_which_the_meter_was_first_seen_is_left_out(version: ApiKeyVersion) -> None:
    LiveDay.objects.all().delete()
    assert live_compare(now=NOW) == 0
    counted(version, 50)
    used(version, 80)
    assert live_compare(now=NOW) == 0


@pytest.mark.parametrize(
    ("figures", "differs"),
    [((50, 50), False), ((60, 50), False), ((61, 50), True), ((39, 50), True), ((0, 11), True),
     ((2_020, 2_000), False), ((2_021, 2_000), True), ((1_980, 2_000), False),
     ((1_979, 2_000), True)],
)  # fmt: skip
def test_operators_are_told_of_more_than_one_percent_and_ten_requests(
    version: ApiKeyVersion, client: Client, caplog: pytest.LogCaptureFixture,
    figures: tuple[int, int], differs: bool,
) -> None:  # fmt: skip
    counted(version, figures[0])
    used(version, figures[1])
    live_compare(now=NOW)
    assert ("live.differs" in caplog.text) is differs
    User.objects.create_superuser("operator@example.com", PASSWORD)
    assert client.login(email="operator@example.com", password=PASSWORD)
    listed = client.get(reverse("admin:tenants_liveday_changelist"), {"differs": "yes"})
    assert list(listed.context["cl"].queryset.values_list("day", flat=True)) == [DAY] * differs
    assert client.get(reverse("admin:tenants_livemeter_changelist")).status_code == 200

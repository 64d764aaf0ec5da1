"""What the dashboard answers in one look, and what the usage page sets beside a range."""

import csv
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product

import pytest
from django.db import models
from django.test import Client
from django.utils import timezone

import billing.services
from billing.models import CapChange
from tenants.models import (
    ApiKey,
    ApiKeyVersion,
    Entitlement,
    GatewayPlan,
    GrantKind,
    Meter,
    QuotaPeriod,
    Tenant,
    UsageDay,
    UsagePlan,
)
from tenants.services import quota_grant
from tests.billing import months
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def alice(cast: Cast, client: Client) -> Client:
    assert client.login(email="alice@example.com", password=PASSWORD)
    return client


def used(tenant: Tenant, day: date, requests: int) -> None:
    UsageDay.objects.create(
        tenant=tenant, version=ApiKey.objects.get(tenant=tenant).versions.get(),
        meter=Meter.REQUESTS, day=day, used=requests, read_at=timezone.now(),
    )  # fmt: skip


def test_the_page_waits_for_the_first_call_and_then_says_that_it_came(
    alice: Client, cast: Cast
) -> None:
    page = alice.get("/dashboard/").content.decode()
    for said in ("Waiting for your first call", "Too early to tell", "no invoice is to come",
                 "/dashboard/usage/?waiting=1", 'export API_KEY="sks', "x-api-key: $API_KEY",
                 'role="tab"', '<canvas id="usage-chart"'):  # fmt: skip
        assert said in page
    assert "sks" not in alice.get("/dashboard/").content.decode()  # the value was shown

    waiting = alice.get("/dashboard/usage/?waiting=1", headers=HTMX).content.decode()
    assert "dashboard/usage/?waiting=1" in waiting
    assert "first-call-state" not in waiting
    assert "No call of yours was counted yet." in alice.get("/usage/").content.decode()
    used(cast.alice_corp, timezone.now().date(), 3)
    arrived = alice.get("/dashboard/usage/?waiting=1", headers=HTMX).content.decode()
    for said in ('id="first-call-state" hx-swap-oob', 'id="usage-rows" hx-swap-oob', "has arrived",
                 'hx-get="/dashboard/usage/"'):  # fmt: skip
        assert said in arrived
    assert "first-call-state" not in alice.get("/dashboard/usage/", headers=HTMX).content.decode()
    assert "Make your first call" not in alice.get("/dashboard/").content.decode()


@pytest.fixture
def mid_month(monkeypatch: pytest.MonkeyPatch, cast: Cast) -> datetime:
    """The 16th of November at noon, of a tenant that began in September and used 61 of its 100."""
    now = datetime(2026, 11, 16, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    Tenant.objects.update(created_at=now - timedelta(days=60))
    cast.alice_corp.plan_spans.update(starts_on=date(2026, 9, 1))
    Entitlement.objects.all().delete()
    for day, requests in {1: 1, **dict.fromkeys(range(9, 16), 8), 16: 4}.items():
        used(cast.alice_corp, date(2026, 11, day), requests)
    for day in range(1, 17):
        used(cast.alice_corp, date(2026, 10, day), 3)
    return now


def test_what_will_not_last_is_said_with_its_day_and_the_way_to_more(
    mid_month: datetime, alice: Client, cast: Cast
) -> None:
    text = " ".join(alice.get("/dashboard/").content.decode().split())
    for said in ("About 5 days", "at about 8 requests a day", "until November 21"):
        assert said in text
    answers = text.partition("For how long")[2].partition("What it costs")[0]
    assert "/billing/extensions/" in answers

    quota_grant(
        tenant=cast.alice_corp, requests=100, kind=GrantKind.EXTENSION, source="order:1",
        period_start=date(2026, 11, 1), now=mid_month,
    )  # fmt: skip
    page = alice.get("/dashboard/")
    text = " ".join(page.content.decode().split())
    assert "Until the reset" in text
    assert "about 177 in the whole period" in text
    quota = page.context["quota"]
    assert quota["limit"] == [100] * 15 + [200] * 15
    assert quota["so_far"] == [1] * 8 + [9, 17, 25, 33, 41, 49, 57, 61]
    assert quota["projection"][:15] == [None] * 15
    assert (quota["projection"][15], quota["projection"][-1]) == (61, 177)
    assert "+100 on November 16" in text
    assert "of 200 · " in text
    assert "100 of them extra" in text
    UsagePlan.objects.update(quota_period=QuotaPeriod.DAY)  # a month's pack counts in no day
    text = " ".join(alice.get("/dashboard/").content.decode().split())
    assert "of 100 <br>" in text
    assert "of them extra" not in text
    UsagePlan.objects.update(quota_period=QuotaPeriod.MONTH)

    UsagePlan.objects.update(is_unlimited=True)
    Entitlement.objects.update(cap_requests=70)
    text = " ".join(alice.get("/dashboard/").content.decode().split())
    assert "of 70 within your spending cap" in text
    assert "of them extra" not in text  # nothing is used of a pack, and the cap ends it sooner
    assert "Raise the spending cap" in text
    Entitlement.objects.update(cap_requests=None)
    page = alice.get("/dashboard/")
    assert "No end" in page.content.decode()
    assert page.context["quota"] is None


def test_a_range_is_set_beside_the_days_before(
    mid_month: datetime, alice: Client, cast: Cast
) -> None:
    page = alice.get("/usage/")
    text = " ".join(page.content.decode().split())
    assert "+27 % against Oct. 1, 2026 – Oct. 16, 2026 (48)" in text
    assert page.context["chart"]["before"] == [3] * 16
    assert page.context["quota"] is not None
    assert [each["label"] for each in page.context["presets"] if each["is_chosen"]] == [
        "This period"
    ]
    lines = alice.get("/usage.csv").content.decode().splitlines()
    assert lines[1] == "2026-11-01,1,99,0,1,100,2026-10-01,3"

    UsageDay.objects.filter(day=date(2026, 10, 1)).update(used=10_000)
    UsageDay.objects.filter(day=date(2026, 11, 1)).update(used=10_001)
    text = " ".join(alice.get("/usage/").content.decode().split())
    assert "about as many as in Oct. 1, 2026 – Oct. 16, 2026 (10,045)" in text
    UsageDay.objects.filter(day=date(2026, 11, 1)).update(used=1)

    week = next(each for each in page.context["presets"] if each["label"] == "7 days")
    page = alice.get(f"/usage/?{week['query']}")
    assert "+550 % against Nov. 3, 2026 – Nov. 9, 2026 (8)" in page.content.decode()
    assert page.context["quota"] is None
    year = alice.get("/usage/?start=2026-01-01&end=2026-11-16")
    assert "no days before to compare with" in year.content.decode()
    assert year.context["chart"]["before"] == []

    wrong = alice.get("/usage/?start=2026-11-16&end=2026-11-01", headers=HTMX)
    assert wrong.status_code == 200  # what is no 2xx htmx does not show
    assert "The end is before the start." in wrong.content.decode()


def a_key(tenant: Tenant, name: str, now: datetime, revoked_at: datetime | None = None) -> ApiKey:
    """A key that was rotated once."""
    key = ApiKey.objects.create(tenant=tenant, name=name, created_at=now, revoked_at=revoked_at)
    for number in range(2):
        ApiKeyVersion.objects.create(
            api_key=key, value_digest=f"{key.uuid}{number}", last_four="abcd", created_at=now
        )
    return key


def test_keys_are_shown_beside_each_other_and_add_up_to_the_total(
    mid_month: datetime, alice: Client, cast: Cast
) -> None:
    assert alice.get("/usage/").context["keys"] == []  # one key is no comparison

    old = a_key(cast.alice_corp, "batch", mid_month, revoked_at=mid_month - timedelta(days=3))
    for number in range(7):
        a_key(cast.alice_corp, "batch" if not number else f"site {number}", mid_month)
    used(cast.charlie_corp, date(2026, 11, 3), 1_000)
    chance = random.Random(5)
    versions = list(ApiKeyVersion.objects.filter(api_key__tenant=cast.alice_corp))
    mirrors = list(GatewayPlan.objects.filter(usage_plan=cast.alice_corp.usage_plan))
    for version, mirror, day in product(versions, mirrors, range(1, 17)):
        UsageDay.objects.create(
            tenant=cast.alice_corp, version=version, gateway_plan=mirror, meter=Meter.REQUESTS,
            day=date(2026, 11, day), used=chance.choice((0, 0, 1, 5, 900)), read_at=mid_month,
        )  # fmt: skip

    UsageDay.objects.filter(version__api_key=old, day=date(2026, 11, 2)).update(used=50_000)
    for is_corrected in (False, True):
        if is_corrected:  # the gateway revised what it had said
            UsageDay.objects.filter(day=date(2026, 11, 9)).update(used=models.F("used") * 2)
        page = alice.get("/usage/")
        bars = page.context["chart"]["keys"]
        assert len(bars) == 7
        assert bars[-1]["label"] == "Other keys"
        assert page.context["chart"]["before"] == [3] * 16
        by_day = [sum(counts) for counts in zip(*(bar["used"] for bar in bars), strict=True)]
        assert by_day == page.context["chart"]["used"]
        assert sum(each.total for each in page.context["keys"]) == page.context["totals"]["used"]
        text = page.content.decode()
        for bar in bars:
            assert text.count(bar["label"]) >= 2  # in the legend, and in the table

        rows = list(csv.DictReader(alice.get("/usage-by-key.csv").content.decode().splitlines()))
        of_days: Counter[str] = Counter()
        of_keys: Counter[str] = Counter()
        for row in rows:
            of_days[row["day"]] += int(row["used"])
            of_keys[row["key_id"]] += int(row["used"])
        assert list(of_days.values()) == by_day
        assert len(of_keys) == 9
        assert of_keys.most_common(6)[0][1] == sum(bars[0]["used"])
        for key in ApiKey.objects.filter(tenant=cast.alice_corp):
            alone = alice.get(f"/usage/?key={key.uuid}")
            assert alone.context["totals"]["used"] == of_keys[str(key.uuid)]
            assert alone.context["keys"] == []

    assert bars[0]["label"] == "batch (revoked Nov. 13, 2026)"
    assert alice.get("/usage/?meter=conversions").context["keys"] == []


def test_a_period_that_is_over_has_the_quota_that_it_had(
    mid_month: datetime, alice: Client, cast: Cast
) -> None:
    last = "/usage/?start=2026-10-01&end=2026-10-31"
    page = alice.get(last)
    assert "not on record for all of its days" in page.content.decode()
    assert 'id="quota-chart"' not in page.content.decode()

    entitlement = Entitlement.objects.create(
        tenant=cast.alice_corp, period_start=date(2026, 10, 1), period_end=date(2026, 11, 1),
        plan_requests=40, granted_requests=60, advance_requests=0,
    )  # fmt: skip
    entitlement.grants.create(
        kind=GrantKind.EXTENSION, requests=60, source="order:1",
        granted_at=datetime(2026, 10, 12, tzinfo=UTC),
    )  # fmt: skip
    page = alice.get(last)
    quota = page.context["quota"]
    assert quota["limit"] == [40] * 11 + [100] * 20
    assert quota["so_far"] == [*range(3, 49, 3), *[48] * 15]
    assert quota["projection"] == []
    text = page.content.decode()
    assert "+60 on October 12" in text
    assert "as they stood when the period ended" in text
    presets = {each["label"]: each["query"] for each in page.context["presets"]}
    assert "The period after" not in presets  # it is "This period"
    before = alice.get(f"/usage/?{presets['The period before']}")
    presets = {each["label"]: each["query"] for each in before.context["presets"]}
    assert presets["The period after"] == "start=2026-10-01&end=2026-10-31"
    assert "The period before" not in presets  # there was nobody

    for other in ("&meter=conversions", f"&key={ApiKey.objects.get(tenant=cast.alice_corp).uuid}"):
        page = alice.get(last + other)
        assert page.context["quota"] is None
        assert "on record" not in page.content.decode()
    UsagePlan.objects.update(quota_period=QuotaPeriod.DAY)  # a day has no line, on record or not
    page = alice.get("/usage/?start=2026-10-31&end=2026-10-31")
    assert page.context["quota"] is None
    assert "on record" not in page.content.decode()


@pytest.mark.parametrize("address", ["/usage/", "/usage.csv", "/usage-by-key.csv"])
@pytest.mark.parametrize("days", [("0001-01-01", "0001-01-31"), ("9999-12-01", "9999-12-31")])
def test_days_that_no_calendar_goes_beyond_are_refused(
    alice: Client, address: str, days: tuple[str, str]
) -> None:
    page = alice.get(address, {"start": days[0], "end": days[1]})
    assert page.status_code == 400
    assert page.content.decode().count("Choose a day from 2000 to 2100.") == 2


@pytest.mark.parametrize("plan", ["free", "starter", "payg"])
def test_pages_take_few_queries_however_many_keys_there_are(
    plan: str,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    now = datetime(2026, 11, 5, 12, tzinfo=UTC)  # its pace is of October, too
    monkeypatch.setattr(timezone, "now", lambda: now)
    billing.services.seed(now=now)
    tenant = months.tenant_new(plan=plan)
    subscription = months.held(tenant, plan, "10-01")
    tenant.plan_spans.create(usage_plan=tenant.usage_plan, starts_on=date(2026, 10, 1))
    tenant.created_at = datetime(2026, 10, 1, tzinfo=UTC)  # there are days before to compare with
    tenant.save()
    for start, end in pairwise(date(2026, month, 1) for month in (10, 11, 12)):
        Entitlement.objects.create(
            tenant=tenant, period_start=start, period_end=end, plan_requests=500, advance_requests=0
        )
        if plan == "payg":
            CapChange.objects.create(subscription=subscription, requests=900, written_at=now)
            Entitlement.objects.update(cap_requests=900)
        else:
            quota_grant(
                tenant=tenant, requests=50, kind=GrantKind.EXTENSION, source=f"order:{start}",
                period_start=start, now=datetime(start.year, start.month, 2, tzinfo=UTC),
            )  # fmt: skip
    client.force_login(tenant.members.get().user)
    client.get("/dashboard/usage/")  # the first one notes where they are signed in
    for keys in (1, 5):
        while tenant.api_keys.count() < keys:
            key = a_key(tenant, f"key {tenant.api_keys.count()}", now)
            days = date(2026, 10, 30), date(2026, 11, 4)
            for version, day in product(key.versions.all(), days):
                UsageDay.objects.create(
                    tenant=tenant, version=version, meter=Meter.REQUESTS, day=day, used=7,
                    read_at=now,
                )  # fmt: skip
        with django_assert_max_num_queries(20):
            page = client.get("/dashboard/usage/", headers=HTMX)
        assert page.context["usage"].used_period == keys * 2 * 7
        with django_assert_max_num_queries(23):
            page = client.get("/usage/?start=2026-11-01&end=2026-11-05")
        assert page.context["before"]["total"] == 0
        assert page.context["quota"]["projection"]

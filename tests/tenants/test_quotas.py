"""What the functions are told of all tenants' quotas: in a few queries, and of no other tenant."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.db.models.signals import post_init
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tenants import selectors
from tenants.models import Entitlement, Tenant
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(cast: Cast) -> Cast:
    """The cast at a period's start: none of their entitlements is there yet."""
    Entitlement.objects.all().delete()
    return cast


@pytest.fixture
def loaded() -> Iterator[list[int]]:
    """Whose entitlements were loaded from the database."""
    whose: list[int] = []

    def note(instance: Entitlement, **_rest: object) -> None:
        whose.append(instance.tenant_id)

    post_init.connect(note, sender=Entitlement)
    yield whose
    post_init.disconnect(note, sender=Entitlement)


def open_period(tenant: Tenant, requests: int, days: tuple[date, date] | None = None) -> None:
    period = selectors.current_period(tenant=tenant, now=timezone.now())
    start, end = days or (period.start, period.end)
    Entitlement.objects.create(
        tenant=tenant, period_start=start, period_end=end, plan_requests=requests,
        advance_requests=0,
    )  # fmt: skip


def limits(*tenants: Tenant) -> list[int | None]:
    asked = Tenant.objects.filter(pk__in=[each.pk for each in tenants])
    asked = asked.select_related("usage_plan").order_by("pk")
    found = selectors.quotas(tenants=asked, now=timezone.now())
    return [found[each.pk].limit for each in tenants]


def test_at_a_periods_start_two_queries_do_for_all(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    open_period(cast.alice_corp, 70)
    with django_assert_num_queries(3):  # the first is for the tenants themselves
        assert limits(cast.alice_corp, cast.charlie_corp) == [70, 100]
    open_period(cast.charlie_corp, 80)
    with django_assert_num_queries(2):
        assert limits(cast.alice_corp, cast.charlie_corp) == [70, 80]


def test_nothing_of_others_is_loaded(cast: Cast, loaded: list[int]) -> None:
    for tenant in (cast.alice_corp, cast.charlie_corp):
        open_period(tenant, 70)
    loaded.clear()
    assert limits(cast.alice_corp) == [70]
    assert loaded == [cast.alice_corp.pk]


def test_what_another_kind_of_period_gave_does_not_count(cast: Cast) -> None:
    today, day = timezone.now().date(), timedelta(days=1)
    open_period(cast.alice_corp, 7, (today - day, today + day))
    assert limits(cast.alice_corp) == [100]

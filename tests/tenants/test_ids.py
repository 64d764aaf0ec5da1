from datetime import UTC, datetime

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.ids import Ids
from tenants.models import Member, Tenant, UsagePlan

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_ids_are_found_as_in_a_list_by_one_query_of_one_shape(db: None) -> None:
    plan = UsagePlan.objects.create(
        code="ids", name="Ids", rate_limit=1, burst_limit=1, quota_limit=1
    )
    tenants = [
        Tenant.objects.create(name=name, usage_plan=plan, created_at=NOW)
        for name in ("a", "b", "c")
    ]
    wanted = [each.pk for each in tenants[:2]]

    assert set(Tenant.objects.filter(pk__in=Ids(wanted))) == set(tenants[:2])
    assert not Tenant.objects.filter(pk__in=Ids([])).exists()
    assert Tenant.objects.filter(usage_plan__in=Ids([plan.pk])).count() == 3
    assert not Member.objects.filter(tenant__in=Ids(wanted)).exists()
    assert Tenant.objects.exclude(pk__in=Ids(wanted)).get(usage_plan=plan) == tenants[2]

    with CaptureQueriesContext(connection) as few:
        list(Tenant.objects.filter(pk__in=Ids(wanted)))
    with CaptureQueriesContext(connection) as many:
        list(Tenant.objects.filter(pk__in=Ids(range(10_000))))  # more than SQLite has parameters
    assert len(few) == len(many) == 1

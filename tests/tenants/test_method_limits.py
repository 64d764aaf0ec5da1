"""Limits of single methods: what the gateway gets of them, and that callers feel them."""

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from tenants import gateway, services
from tenants.models import ApiKeyVersion, GatewayPlan, MethodLimit, UsagePlan
from tenants.services import mirrors, reconcile
from tests.cast import Cast
from tests.conftest import Call

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway_api", "valkey"),
]

PING = "/v1/ping/GET"
STAGE = f"{settings.BACKEND_API_ID}:{settings.BACKEND_STAGE}"


def limit(*, rate: float, burst: int, path: str = "/v1/ping", method: str = "GET") -> MethodLimit:
    return MethodLimit(path=path, method=method, rate_limit=rate, burst_limit=burst)


def save(usage_plan: UsagePlan, *limits: MethodLimit) -> None:
    services.usage_plan_save(usage_plan=usage_plan, method_limits=limits, now=timezone.now())
    mirrors.mirrors_apply(usage_plan=usage_plan, now=timezone.now())


def in_the_gateway(usage_plan: UsagePlan) -> gateway.MethodLimits:
    """Return what both mirrors have, which must be the same."""
    found = []
    for mirror in GatewayPlan.objects.filter(usage_plan=usage_plan):
        plan = gateway.usage_plan_find(name=mirror.gateway_name)
        assert plan is not None
        found.append(plan.stages[STAGE])
    assert found[0] == found[1]
    return found[0]


def test_both_mirrors_follow_what_is_set_changed_and_taken_away(cast: Cast) -> None:
    plan = cast.alice_corp.usage_plan
    save(plan, limit(rate=2, burst=4))
    assert in_the_gateway(plan) == {PING: gateway.Throttle(2, 4)}
    save(plan, limit(rate=2, burst=5), limit(rate=0.5, burst=1, path="/v1/jobs/{id}", method="ANY"))
    assert in_the_gateway(plan) == {
        PING: gateway.Throttle(2, 5),
        "/v1/jobs/{id}/ANY": gateway.Throttle(0.5, 1),
    }
    services.usage_plan_save(usage_plan=plan, now=timezone.now())  # says nothing of methods
    assert plan.method_limits.count() == 2
    assert mirrors.mirrors_stale() == []
    save(plan)
    assert in_the_gateway(plan) == {}


def test_a_limit_makes_its_mirrors_stale_until_applied(cast: Cast) -> None:
    plan = cast.alice_corp.usage_plan
    mirrors.mirrors_apply(usage_plan=plan, now=timezone.now())
    services.usage_plan_save(
        usage_plan=plan, method_limits=[limit(rate=1, burst=1)], now=timezone.now()
    )
    assert [mirror.usage_plan for mirror in mirrors.mirrors_stale()] == [plan, plan]


@pytest.mark.parametrize(
    "wrong",
    [
        limit(rate=0, burst=1),
        limit(rate=1, burst=0),
        limit(rate=1, burst=1, path="v1/ping"),
        limit(rate=1, burst=1, path="/v1/ping/"),
        limit(rate=1, burst=1, method="FETCH"),
    ],
)
def test_what_is_out_of_range_is_refused_as_a_whole(cast: Cast, wrong: MethodLimit) -> None:
    plan = cast.alice_corp.usage_plan
    save(plan, limit(rate=2, burst=4))
    with pytest.raises(ValidationError):
        save(plan, limit(rate=3, burst=3), wrong)
    assert [each.rate_limit for each in plan.method_limits.all()] == [2]


def test_a_caller_feels_it_and_the_quota_does_not(cast: Cast, call: Call) -> None:
    tenant = cast.alice_corp
    save(tenant.usage_plan, limit(rate=0.1, burst=2))
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    value = services.api_key_value_reveal(version=version, now=timezone.now())
    assert [call(value).status_code for _ in range(4)] == [200, 200, 429, 429]
    (usage,) = gateway.usage_read(
        plan_id=version.gateway_plan.gateway_id if version.gateway_plan else "",
        start=timezone.now().date(),
        end=timezone.now().date(),
        key_id=version.gateway_id,
    )
    assert usage.days[0].used == 2

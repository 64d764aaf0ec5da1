"""A worker is killed (SIGKILL, a process of its own) before and after each outside call.

What it leaves is finished by the next one: one key after sign-up; one grant, one charge and one
invoice after a purchase.
"""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from billing.models import EventStatus, Invoice, Order, StripeEvent
from billing.services import SignUp, extension_order
from billing.services.checkout import orders_sweep
from billing.tasks import event_process
from tenants import gateway
from tenants.models import ApiKeyVersion, GatewayPlan, QuotaGrant, VersionStatus
from tenants.services import reconcile
from tests.billing.conftest import buy, deliver, events_of, owner, shop, sign_up
from tests.services import worker_environment

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["owner", "shop", "sign_up"]  # fixtures of the shop, used here too

SignUpCall = Callable[..., SignUp]


def kill_at(call: str, when: str, task: str, argument: int) -> None:
    """Run a task in a worker that is killed at this call; it must have come to it."""
    module, _, name = call.rpartition(".")
    environment = {**worker_environment(), "STRIPE_API_BASE": settings.STRIPE_API_BASE}
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_worker", module, name, when, task, str(argument)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "operation",
    ["create_usage_plan", "create_api_key", "create_usage_plan_key", "update_api_key"],
)
def test_sign_up_leaves_one_key(sign_up: SignUpCall, operation: str, when: str) -> None:
    tenant = sign_up("free").tenant
    kill_at(f"tenants.gateway._call:{operation}", when, "tenants.tasks.tenant_reconcile", tenant.pk)
    later = timezone.now() + timedelta(minutes=1)  # the dead worker's claim has run out
    assert reconcile.tenants_due(now=later) == [tenant.pk]
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    assert version.status == VersionStatus.ACTIVE
    keys = gateway._call("get_api_keys", nameQuery=version.gateway_name)["items"]
    assert [key["enabled"] for key in keys] == [True]
    plans = [plan["name"] for plan in gateway._call("get_usage_plans", limit=500)["items"]]
    for mirror in GatewayPlan.objects.filter(usage_plan=tenant.usage_plan):
        assert plans.count(mirror.gateway_name) == 1


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "call", ["billing.payments.checkout_get", "tenants.gateway._call:update_usage"]
)
def test_a_purchase_leaves_one_grant_and_one_charge(
    sign_up: SignUpCall, call: str, when: str
) -> None:
    tenant = sign_up("free").tenant
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    order: Order = extension_order(
        tenant=tenant, pack_code="extra-100", token="form", actor=None, now=timezone.now()
    )
    buy(order)
    sent = events_of(order)
    for event in sent:
        deliver(event)
    if call.startswith("billing"):
        stored = StripeEvent.objects.get(type="checkout.session.completed")
        kill_at(call, when, "billing.tasks.event_process", stored.pk)
        assert not QuotaGrant.objects.exists()
    for waiting in StripeEvent.objects.filter(status=EventStatus.RECEIVED):
        event_process(waiting.pk)
    if not call.startswith("billing"):
        kill_at(call, when, "tenants.tasks.tenant_reconcile", tenant.pk)
    later = timezone.now() + timedelta(minutes=1)
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: later)
    orders_sweep(clock=lambda: later)
    # What the first write held back, because a call might have been under way, is repaid.
    soon = later + timedelta(seconds=30)
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=lambda: soon)
    for event in sent:
        deliver(event)
    assert QuotaGrant.objects.get().requests == 100
    assert Invoice.objects.get().total == 1_00
    charges = [event for event in events_of(order) if event.type == "payment_intent.succeeded"]
    assert len(charges) == 1
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    assert version.gateway_plan is not None
    (figures,) = gateway._call(
        "get_usage", usagePlanId=version.gateway_plan.gateway_id, keyId=version.gateway_id,
        startDate=later.date().isoformat(), endDate=later.date().isoformat(),
    )["items"].values()  # fmt: skip
    assert figures[-1][1] == 200

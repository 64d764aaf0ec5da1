"""Alerts of money, and of the quota through the real parts: calls, syncs, and a bought pack."""

from decimal import Decimal

import pytest
from django.utils import timezone

import tenants.services
from billing import services
from billing.models import Plan
from billing.services.spending_alerts import spending_alerts
from billing.tiers import Tier
from portal.celery import GATEWAY_QUEUES
from tenants.models import (
    Alert,
    ApiKeyVersion,
    GatewayPlan,
    Mail,
    Meter,
    OutboxEvent,
    Tenant,
    UsagePlan,
    WebhookEndpoint,
    WebhookEvent,
)
from tenants.services import api_key_value_reveal, usage
from tenants.services.mails import message
from tests.billing.conftest import SignUpCall, buy, subscribe
from tests.billing.dunned import on, uncollected
from tests.billing.topped_up import use
from tests.conftest import Call, RunTasks

pytestmark = pytest.mark.django_db(transaction=True)


def listen(tenant: Tenant) -> None:
    WebhookEndpoint.objects.create(
        tenant=tenant, url="https://hooks.example.com/", created_at=timezone.now()
    )


class TestSpending:
    @pytest.fixture
    def payg(self, shop: None, sign_up: SignUpCall) -> Tenant:
        """A tenant whose requests cost 30 cents each."""
        services.price_set(
            plan=Plan.objects.get(code="payg"), currency="USD", monthly_fee=0,
            steps={Meter.REQUESTS: [Tier(None, Decimal(30))]}, now=timezone.now(),
        )  # fmt: skip
        tenant = subscribe(sign_up, "payg")
        listen(tenant)
        return tenant

    def told(self, tenant: Tenant, requests: int) -> list[int | str]:
        """Look after so many requests, twice; return what was told, of all times."""
        now = timezone.now()
        use(tenant, requests, now=now)
        for _ in range(2):
            spending_alerts(now=now)
        data = Alert.objects.filter(kind="spending").order_by("pk").values_list("data", flat=True)
        return [each["percent"] or f"${each['amount'] / 100}" for each in data]

    def test_percents_of_the_cap_and_amounts_each_once(self, payg: Tenant) -> None:
        now = timezone.now()
        assert self.told(payg, 1_000) == []  # neither a cap nor amounts
        services.cap_set(tenant=payg, amount=500_00, actor=None, now=now)
        assert self.told(payg, 1_000) == [50]
        tenants.services.alert_settings_update(
            tenant=payg, spending_amounts=[360_00, 390_00], actor=None, now=now
        )
        assert self.told(payg, 1_200) == [50, "$360.0"]
        assert self.told(payg, 1_400) == [50, "$360.0", 80]  # and 390, which is less
        services.cap_set(tenant=payg, amount=2_000_00, actor=None, now=now)
        assert self.told(payg, 1_400) == [50, "$360.0", 80]
        assert self.told(payg, 3_400) == [50, "$360.0", 80, 50]

    def test_a_cap_is_reached_where_its_requests_are(self, payg: Tenant) -> None:
        services.cap_set(tenant=payg, amount=100_00, actor=None, now=timezone.now())
        assert self.told(payg, 332) == [80]
        assert self.told(payg, 333) == [80, 100]  # $99.90: another one would not fit
        alert = Alert.objects.latest("pk")
        assert (alert.data["spent"], alert.data["cap"]) == (99_90, 100_00)
        sent = message(Mail.objects.latest("pk"))
        assert sent.subject == "Your spending cap is reached"
        assert "come to $99.90 so far" in sent.body
        news = OutboxEvent.objects.filter(kind="spending.threshold")
        assert [each.payload["percent"] for each in news.order_by("pk")] == [80, 100]
        assert news.latest("pk").payload["currency"] == "USD"


def test_an_invoice_that_was_not_collected_is_an_alert_with_one_mail(sign_up: SignUpCall) -> None:
    invoice = uncollected(sign_up)
    for _ in range(2):
        services.dun(now=on(2))
    alert = Alert.objects.get(kind="payment_failed")
    assert alert.data == {
        "invoice": invoice.number, "amount": invoice.amount_due, "currency": "USD",
    }  # fmt: skip
    assert [mail.kind for mail in Mail.objects.all()] == ["billing.payment_failed"]


@pytest.mark.usefixtures("gateway_api")
def test_real_calls_past_each_threshold_and_past_one_again_after_buying(
    sign_up: SignUpCall, run_tasks: RunTasks, call: Call
) -> None:
    tenant = sign_up("free", now=timezone.now()).tenant
    listen(tenant)
    UsagePlan.objects.update(burst_limit=5_000)
    run_tasks()
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    ApiKeyVersion.objects.update(revealed_at=None)
    value = api_key_value_reveal(version=version, now=timezone.now())

    def after(calls: int) -> list[int]:
        """Call so often, sync twice, let the workers work; return what was told, of all times."""
        for _ in range(calls):
            call(value)
        for _ in range(2):
            for mirror in GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan"):
                usage.usage_sync(mirror=mirror, now=timezone.now())
            run_tasks(*GATEWAY_QUEUES, "default")
        alerts = Alert.objects.filter(tenant=tenant).order_by("pk")
        events = WebhookEvent.objects.filter(tenant=tenant, type="quota.threshold").order_by("pk")
        mails = Mail.objects.filter(kind="tenants.alert", sent_at__isnull=False).order_by("pk")
        told = [each.data["threshold"] for each in alerts]
        assert sorted(each.data["threshold"] for each in events) == sorted(told)
        assert len(mails) == len(told)
        return told

    assert after(49) == []
    assert after(36) == [80]  # 85, past two at once
    assert after(16) == [80, 100]
    for token in ("first", "second"):
        order = services.extension_order(
            tenant=tenant, pack_code="extra-100", token=token, actor=None, now=timezone.now()
        )
        buy(order, now=timezone.now())
        services.order_check(order=order, now=timezone.now())
    assert after(0) == [80, 100]  # 100 of 300
    assert after(50) == [80, 100, 50]

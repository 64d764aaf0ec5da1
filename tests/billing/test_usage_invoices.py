"""Pay as you go: a month is billed by tiers, once its figure has settled."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from billing import services
from billing.models import (
    DunningCase,
    Invoice,
    InvoiceState,
    Payment,
)
from tenants.models import ApiKeyVersion, GatewayPlan, Meter, Tenant, UsageDay, User
from tests.billing.conftest import SignUpCall, close_and_collect, subscribe

pytestmark = pytest.mark.django_db(transaction=True)
FIRST = datetime(2026, 12, 1, 6, tzinfo=UTC)
SECOND = datetime(2026, 12, 2, 6, tzinfo=UTC)


class TestUsage:
    """The gateway's figure of November, read on the 2nd of December and later."""

    @pytest.fixture
    def payg(self, sign_up: SignUpCall) -> Tenant:
        return subscribe(sign_up, "payg")

    def read(self, tenant: Tenant, used: int, *, at: datetime) -> None:
        """Let the gateway's answer be that `used` requests passed on the 30th."""
        tenant.refresh_from_db()
        mirror = GatewayPlan.objects.get(usage_plan=tenant.usage_plan, slot="primary")
        UsageDay.objects.update_or_create(
            tenant=tenant,
            version=ApiKeyVersion.objects.get(api_key__tenant=tenant),
            gateway_plan=mirror,
            meter=Meter.REQUESTS,
            day=date(2026, 11, 30),
            defaults={"used": used, "read_at": at},
        )
        GatewayPlan.objects.filter(pk=mirror.pk).update(read_at=at)

    def bill(self, now: datetime) -> list[Invoice]:
        run = close_and_collect(now)
        assert run.failed == {}
        return run.written

    def test_a_settled_month_is_billed_by_tiers_once(self, payg: Tenant) -> None:
        self.read(payg, 150_000, at=SECOND)
        assert self.bill(SECOND) == []
        later = SECOND + timedelta(hours=6)
        self.read(payg, 150_000, at=later)
        (invoice,) = self.bill(later)
        lines = invoice.lines.values_list("quantity", "unit_amount", "amount")
        assert [(q, str(unit), amount) for q, unit, amount in lines] == [
            (1_000, "0.0000", 0),
            (99_000, "0.2000", 198_00),
            (50_000, "0.1000", 50_00),
        ]
        invoice.refresh_from_db()
        assert (invoice.total, invoice.state) == (248_00, InvoiceState.PAID)
        assert (invoice.period_start, invoice.period_end) == (
            date(2026, 11, 1), date(2026, 12, 1)
        )  # fmt: skip
        assert self.bill(later + timedelta(hours=1)) == []

    def test_a_figure_that_moves_begins_to_settle_anew(self, payg: Tenant) -> None:
        for hours, used, written in (
            (0, 10_000, 0),
            (5, 10_500, 0),
            (6, 10_500, 0),
            (11, 10_500, 1),
        ):
            at = SECOND + timedelta(hours=hours)
            self.read(payg, used, at=at)
            assert len(self.bill(at)) == written, hours

    def test_nothing_settles_while_nobody_asks_the_gateway(self, payg: Tenant) -> None:
        self.read(payg, 10_000, at=SECOND)
        for hours in (0, 6, 48):
            assert self.bill(SECOND + timedelta(hours=hours)) == []

    def test_not_before_the_2nd(self, payg: Tenant) -> None:
        self.read(payg, 10_000, at=FIRST)
        self.bill(FIRST)
        self.read(payg, 10_000, at=FIRST + timedelta(hours=12))
        assert self.bill(FIRST + timedelta(hours=12)) == []
        assert len(self.bill(SECOND)) == 0
        self.read(payg, 10_000, at=SECOND + timedelta(hours=6))
        assert len(self.bill(SECOND + timedelta(hours=6))) == 1

    @pytest.mark.parametrize("used", [0, 1_000, 1_002])  # 0.4 cents are no cent
    def test_nothing_to_pay_is_no_invoice(self, payg: Tenant, used: int) -> None:
        for at in (SECOND, SECOND + timedelta(hours=6)):
            self.read(payg, used, at=at)
            assert self.bill(at) == []

    def test_a_dry_run_tells_what_is_settled_and_notes_nothing(self, payg: Tenant) -> None:
        def would_write(at: datetime) -> int:
            return services.close_month(now=at, dry_run=True).invoices

        later = SECOND + timedelta(hours=6)
        self.read(payg, 10_000, at=SECOND)
        assert would_write(SECOND) == 0
        self.read(payg, 10_000, at=later)
        assert would_write(later) == 0
        self.bill(later)
        self.read(payg, 10_000, at=later + timedelta(hours=6))
        assert would_write(later + timedelta(hours=6)) == 1
        assert not Invoice.objects.exists()

    @pytest.fixture
    def small(self, payg: Tenant) -> Invoice:
        for at in (SECOND, SECOND + timedelta(hours=6)):
            self.read(payg, 1_060, at=at)  # 12 cents; Stripe takes 50 and more
            self.bill(at)
        invoice = Invoice.objects.get()
        assert invoice.total == 12
        return invoice

    def test_too_little_to_charge_waits_and_is_not_dunned(self, small: Invoice) -> None:
        for days in (1, 20, 40):
            run = close_and_collect(SECOND + timedelta(days=days))
            assert (run.declined, run.failed) == (0, {})
            services.dun(now=SECOND + timedelta(days=days))
        assert not Payment.objects.exists()
        assert not DunningCase.objects.exists()
        small.refresh_from_db()
        assert small.state == InvoiceState.OPEN

    def test_too_little_to_charge_is_said_and_cannot_be_paid_by_card(
        self, small: Invoice, owner: User, client: Client
    ) -> None:
        client.force_login(owner)
        page = reverse("billing-invoice-pay", args=[small.number])
        for address in (page, reverse("billing-invoices")):
            shown = client.get(address).content.decode()
            assert "too small an amount to be charged" in shown
            assert "Pay now" not in shown
        answer = client.post(reverse("billing-invoice-checkout", args=[small.number]))
        assert answer["Location"] == page
        assert not Payment.objects.exists()

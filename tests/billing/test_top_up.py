"""Packs that are bought by themselves: when, how often, and what is told of it."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing import selectors as selectors_of_billing
from billing import services
from billing.declines import in_words
from billing.models import (
    AutoTopUp,
    Customer,
    ExtensionPack,
    Invoice,
    Order,
    OrderState,
    Overage,
    Plan,
    PriceTier,
    Subscription,
)
from billing.services.top_up_all import top_ups_run
from tenants import selectors
from tenants.errors import Refused
from tenants.models import (
    ApiKeyVersion,
    GatewayPlan,
    Hold,
    HoldReason,
    Mail,
    Meter,
    QuotaGrant,
    Tenant,
    UsagePlan,
)
from tenants.services import api_key_value_reveal, reconcile, usage
from tenants.services.mails import message
from tests.billing.conftest import SignUpCall, stripe_client
from tests.billing.saved_cards import save
from tests.billing.topped_up import NOW, charges, topping_up, turn_on, use
from tests.conftest import Call, RunTasks

pytestmark = pytest.mark.django_db(transaction=True)
FAILS, ASKS = "pm_card_chargeCustomerFail", "pm_card_authenticationRequired"


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return topping_up(sign_up)


@pytest.mark.stripe
class TestWhen:
    @pytest.mark.parametrize(
        ("used", "is_bought"), [(0, False), (80, False), (81, True), (100, True)]
    )
    def test_below_the_percent_that_was_chosen(
        self, tenant: Tenant, used: int, is_bought: bool
    ) -> None:
        use(tenant, used)
        top_ups_run(clock=lambda: NOW)
        assert Order.objects.filter(is_top_up=True).count() == is_bought
        assert charges(tenant) == ([(1_00, False)] if is_bought else [])

    def test_each_with_its_invoice_and_mail_and_not_more_than_so_often(
        self, tenant: Tenant
    ) -> None:
        for used in (90, 190, 290, 390, 490):
            use(tenant, used)
            for _ in range(3):
                top_ups_run(clock=lambda: NOW)
        assert charges(tenant) == [(1_00, False)] * 3
        assert Invoice.objects.filter(state="paid").count() == 3
        assert sum(QuotaGrant.objects.values_list("requests", flat=True)) == 300
        assert Mail.objects.filter(kind="billing.top_up_bought").count() == 3
        assert selectors.usage_now(tenant=tenant, now=NOW).limit == 400
        december = NOW + timedelta(days=14)
        use(tenant, 85, now=december)
        top_ups_run(clock=lambda: december)
        assert charges(tenant) == [(1_00, False)] * 4

    def test_a_small_pack_is_bought_until_it_is_enough(self, tenant: Tenant) -> None:
        turn_on(tenant, percent=60, most=9)
        use(tenant, 100)
        for _ in range(5):  # 100 of 200, 200 of 300: 66 % remain
            top_ups_run(clock=lambda: NOW)
        assert len(charges(tenant)) == 2

    @pytest.mark.parametrize("why", ["off", "held", "unlimited"])
    def test_not_where_it_would_not_help(self, tenant: Tenant, why: str) -> None:
        use(tenant, 100)
        if why == "off":
            services.auto_top_up_stop(tenant=tenant, actor=None, now=NOW)
        elif why == "held":
            Hold.objects.create(tenant=tenant, reason=HoldReason.DUNNING, placed_at=NOW)
        else:
            UsagePlan.objects.update(is_unlimited=True)
        assert len(top_ups_run(clock=lambda: NOW).settled) == 0
        assert charges(tenant) == []
        if why == "held":
            Hold.objects.update(lifted_at=NOW)
            assert len(top_ups_run(clock=lambda: NOW).settled) == 1

    def test_not_where_requests_are_priced(self, tenant: Tenant) -> None:
        """They would be paid for twice."""
        assert selectors_of_billing.packs(tenant=tenant, now=NOW)
        held = Subscription.objects.get(tenant=tenant)
        Plan.objects.filter(pk=held.plan_id).update(overage=Overage.PRICED)
        PriceTier.objects.create(price=held.price, meter=Meter.REQUESTS, unit_amount=1)
        assert selectors_of_billing.packs(tenant=tenant, now=NOW) == []
        with pytest.raises(Refused, match="no quota to extend"):
            turn_on(tenant)
        use(tenant, 100)
        top_ups_run(clock=lambda: NOW)
        assert not Order.objects.filter(is_top_up=True).exists()
        assert not AutoTopUp.objects.get().is_on

    def test_what_cannot_be_bought_is_refused_before(self, tenant: Tenant) -> None:
        for pack, percent, most in (("gold", 10, 1), ("extra-100", 0, 1), ("extra-100", 100, 1),
                                    ("extra-100", 10, 0)):  # fmt: skip
            with pytest.raises(Refused):
                turn_on(tenant, pack=pack, percent=percent, most=most)
        Customer.objects.update(payment_method_id="")
        with pytest.raises(Refused, match="card"):
            turn_on(tenant)


@pytest.mark.stripe
class TestRefusals:
    @pytest.mark.parametrize("card", [FAILS, ASKS])
    def test_a_card_that_does_not_pay_turns_it_off_and_says_so(
        self, tenant: Tenant, card: str, run_tasks: RunTasks
    ) -> None:
        run_tasks("default")
        Customer.objects.update(payment_method_id=card)
        use(tenant, 100)
        for _ in range(3):
            top_ups_run(clock=lambda: NOW)
        order = Order.objects.get(is_top_up=True)
        assert (order.state, bool(order.decline_message)) == (OrderState.EXPIRED, True)
        setting = AutoTopUp.objects.get()
        assert not setting.is_on
        assert setting.off_reason == in_words(order.decline_code)
        sent = message(Mail.objects.get())
        assert sent.subject == "Automatic top-up is turned off"
        assert setting.off_reason in sent.body
        assert "/billing/extensions/" in sent.body
        # Nobody can pay it afterwards, in the bank's window say.
        customer = Customer.objects.get(tenant=tenant)
        intents = stripe_client().v1.payment_intents.list({"customer": customer.stripe_id})
        assert [intent.status for intent in intents] == ["canceled"]
        # Turned on again with another card, it is another charge.
        Customer.objects.update(payment_method_id="pm_card_visa")
        turn_on(tenant)
        top_ups_run(clock=lambda: NOW)
        assert charges(tenant) == [(1_00, False)]

    def test_without_a_card_or_a_pack_it_is_turned_off(self, tenant: Tenant) -> None:
        use(tenant, 100)
        ExtensionPack.objects.update(is_active=False)
        top_ups_run(clock=lambda: NOW)
        assert "no pack" in AutoTopUp.objects.get().off_reason
        ExtensionPack.objects.update(is_active=True)
        turn_on(tenant, now=NOW + timedelta(hours=1))
        Customer.objects.update(payment_method_id="")
        top_ups_run(clock=lambda: NOW)
        assert "no saved card" in AutoTopUp.objects.get().off_reason
        assert Mail.objects.filter(kind="billing.top_up_off").count() == 2
        assert not Order.objects.filter(is_top_up=True).exists()


class TestMails:
    @pytest.mark.parametrize(
        ("language", "subject"),
        [
            ("en", "Extra 100: 100 extra requests: bought automatically"),
            ("ja", "自動購入のお知らせ：Extra 100：追加リクエスト 100 件"),
        ],
    )
    def test_what_was_bought_in_the_tenants_language(
        self, tenant: Tenant, language: str, subject: str
    ) -> None:
        Tenant.objects.update(language=language)
        use(tenant, 100)
        top_ups_run(clock=lambda: NOW)
        sent = message(Mail.objects.get(kind="billing.top_up_bought"))
        assert sent.subject == subject
        for part in ("1.00", "4242", Invoice.objects.get().number, "/billing/extensions/"):
            assert part in sent.body


@pytest.mark.usefixtures("gateway_api")
def test_the_key_works_again(sign_up: SignUpCall, run_tasks: RunTasks, call: Call) -> None:
    """From a dry key, over the sync that shows it, to one that passes: no hand is moved."""
    now = timezone.now()
    tenant = sign_up("free", now=now).tenant
    UsagePlan.objects.update(burst_limit=5_000)
    run_tasks()
    save(tenant, now=now)
    turn_on(tenant, now=now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    ApiKeyVersion.objects.update(revealed_at=None)
    value = api_key_value_reveal(version=version, now=now)
    answers = [call(value).status_code for _ in range(101)]
    assert answers == [200] * 100 + [429]
    for mirror in GatewayPlan.objects.exclude(gateway_id="").select_related("usage_plan"):
        usage.usage_sync(mirror=mirror, now=timezone.now())
    assert len(top_ups_run(clock=timezone.now).settled) == 1
    run_tasks()
    assert reconcile.tenants_due(now=timezone.now()) == []
    answers = [call(value).status_code for _ in range(101)]
    assert answers == [200] * 100 + [429]


def test_a_dry_run_says_what_would_be_bought_and_buys_nothing(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    today = timezone.now()
    use(tenant, 95, now=today)
    call_command("top_up", dry_run=True)
    assert capsys.readouterr().out == (
        "would: Alice Corp  buy Extra 100: 100 extra requests\n1 packs.\n"
    )
    assert not Order.objects.filter(is_top_up=True).exists()
    call_command("top_up")
    assert "1 packs." in capsys.readouterr().out
    assert charges(tenant) == [(1_00, False)]
    call_command("top_up", dry_run=True)
    assert "0 packs." in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["card", "pack"])
def test_a_dry_run_says_what_would_turn_it_off(
    tenant: Tenant, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    use(tenant, 95, now=timezone.now())
    if missing == "card":
        Customer.objects.update(payment_method_id="")
        reason = "There is no saved card to charge."
    else:
        ExtensionPack.objects.update(is_active=False)
        reason = "There is no pack “extra-100” on sale."
    call_command("top_up", dry_run=True)
    assert capsys.readouterr().out == f"would: Alice Corp  turn off: {reason}\n0 packs.\n"
    assert AutoTopUp.objects.get().is_on


def test_a_pack_that_was_declined_is_not_counted(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tenant, FAILS)
    use(tenant, 95, now=timezone.now())
    call_command("top_up")
    assert capsys.readouterr().out.endswith("(expired)\n0 packs.\n")

"""From order to grant, at the real Checkout of the local payments."""

import threading
from datetime import datetime, timedelta

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from billing import payments, services
from billing.models import (
    Invoice,
    InvoiceState,
    Order,
    OrderState,
    PackPrice,
    Plan,
    PriceVersion,
    SavedCard,
    StripeEvent,
    Subscription,
    SubscriptionState,
)
from billing.services import checkout
from billing.services.fulfilment import order_settle
from tenants.errors import Refused
from tenants.models import Entitlement, QuotaGrant, Tenant
from tests.billing.conftest import (
    DECLINED,
    SignUpCall,
    buy,
    deliver,
    events_of,
    pay,
    start,
)
from tests.conftest import RunTasks
from tests.env import NOBODY

pytestmark = pytest.mark.django_db(transaction=True)


def extension(tenant: Tenant, *, form: str = "1", now: datetime | None = None) -> Order:
    return services.extension_order(
        tenant=tenant,
        pack_code="extra-100",
        token=f"form-{form}",
        actor=None,
        now=now or timezone.now(),
    )


class TestSignUp:
    def test_a_free_plan_asks_for_nothing(self, sign_up: SignUpCall) -> None:
        signed_up = sign_up("free")
        assert signed_up.order is None
        assert Subscription.objects.get().state == SubscriptionState.ACTIVE

    def test_a_paid_plan_starts_once_its_first_month_is_paid(self, sign_up: SignUpCall) -> None:
        now = timezone.now()
        signed_up = sign_up("starter", now=now)
        order, tenant = signed_up.order, signed_up.tenant
        assert order is not None
        assert tenant.usage_plan.code == "free"
        buy(order)
        services.order_check(order=order, now=now)
        tenant.refresh_from_db()
        assert tenant.usage_plan.code == "starter"
        days = (order.period_end - order.period_start).days
        left = (order.period_end - now.date()).days
        entitlement = Entitlement.objects.get(tenant=tenant)
        assert entitlement.plan_requests == max((10_000 * left * 2 + days) // (2 * days), 100)
        assert order.amount == (29_00 * left * 2 + days) // (2 * days)
        assert SavedCard.objects.get().last_four == "4242"
        invoice = Invoice.objects.get()
        assert (invoice.state, invoice.total) == (InvoiceState.PAID, order.amount)

    def test_pay_as_you_go_starts_once_a_card_is_saved(self, sign_up: SignUpCall) -> None:
        signed_up = sign_up("payg")
        assert signed_up.order is not None
        assert signed_up.order.amount == 0
        buy(signed_up.order)
        services.order_check(order=signed_up.order, now=timezone.now())
        signed_up.tenant.refresh_from_db()
        assert signed_up.tenant.usage_plan.code == "payg"
        assert not Invoice.objects.exists()

    @pytest.mark.parametrize(("plan", "currency"), [("gold", "USD"), ("free", "EUR"), ("", "USD")])
    def test_what_is_not_sold_is_refused(
        self, sign_up: SignUpCall, plan: str, currency: str
    ) -> None:
        with pytest.raises(Refused):
            sign_up(plan, currency=currency)
        assert not Tenant.objects.exists()

    def test_seeding_again_changes_nothing(self, shop: None) -> None:
        services.seed(now=timezone.now())
        services.seed(now=timezone.now())
        assert (Plan.objects.count(), PriceVersion.objects.count()) == (4, 8)


class TestExtension:
    def test_the_webhook_grants_once_however_often_it_comes(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        order = extension(sign_up("free").tenant)
        buy(order)
        sent = events_of(order)
        assert sent
        for _ in range(6):
            for event in sent:
                deliver(event)
            run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.FULFILLED
        assert StripeEvent.objects.count() == len(sent)
        assert QuotaGrant.objects.get().requests == 100
        assert Invoice.objects.get().total == 1_00

    def test_two_at_once_grant_once(self, sign_up: SignUpCall) -> None:
        order = extension(sign_up("free").tenant)
        buy(order)
        state = payments.checkout_get(session_id=order.checkout_session_id)
        together = threading.Barrier(2)

        def settle() -> None:
            together.wait()
            order_settle(order=order, checkout=state, now=timezone.now())
            connection.close()

        threads = [threading.Thread(target=settle) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert QuotaGrant.objects.get().requests == 100
        assert Invoice.objects.count() == 1

    def test_a_declined_card_changes_nothing_and_says_why(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        order = extension(sign_up("free").tenant)
        buy(order, DECLINED)
        for event in events_of(order):
            deliver(event)
        run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.PENDING
        assert "declined" in order.decline_message
        assert not QuotaGrant.objects.exists()
        # The page is still open for another card.
        pay(start(order))
        services.order_check(order=order, now=timezone.now())
        assert QuotaGrant.objects.get().requests == 100

    def test_errors_without_a_decline_code_say_why_too(self, sign_up: SignUpCall) -> None:
        order = extension(sign_up("free").tenant)
        buy(order, "4000000000000127")  # a wrong security code
        order = services.order_check(order=order, now=timezone.now())
        assert order.decline_code == "incorrect_cvc"
        asked = pay(start(order), "4000002760003184").headers["Location"]
        httpx.post(asked, data={"outcome": "fail"}, trust_env=False)
        order = services.order_check(order=order, now=timezone.now())
        assert order.decline_code == "payment_intent_authentication_failure"
        session = payments.checkout_get(session_id=order.checkout_session_id)
        intent = payments.intent_get(intent_id=session.payment_intent_id)
        assert intent.decline_code == order.decline_code

    def test_a_form_sent_twice_is_one_order(self, sign_up: SignUpCall) -> None:
        tenant = sign_up("free").tenant
        assert extension(tenant).pk == extension(tenant).pk
        assert extension(tenant, form="2").pk != extension(tenant).pk

    def test_a_form_sent_twice_at_once_is_one_order_and_one_session(
        self, sign_up: SignUpCall
    ) -> None:
        tenant = sign_up("free").tenant
        together = threading.Barrier(2)
        found: list[tuple[int, str]] = []

        def press() -> None:
            together.wait()
            order = extension(tenant)
            try:
                found.append((order.pk, start(order)))
            except payments.PaymentUnavailable:  # Stripe is still at the other's request
                found.append((order.pk, start(order)))
            connection.close()

        threads = [threading.Thread(target=press) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 2
        assert len(set(found)) == 1

    def test_the_price_is_frozen(self, sign_up: SignUpCall) -> None:
        order = extension(sign_up("free").tenant)
        PackPrice.objects.filter(pack=order.pack).update(amount=999)
        buy(order)
        assert services.order_check(order=order, now=timezone.now()).state == OrderState.FULFILLED
        assert Invoice.objects.get().total == 1_00

    def test_paid_in_the_next_period_it_is_paid_back(
        self, sign_up: SignUpCall, run_tasks: RunTasks
    ) -> None:
        month_ago = timezone.now() - timedelta(days=32)
        order = extension(sign_up("free", now=month_ago).tenant, now=month_ago)
        buy(order, now=month_ago)
        services.order_check(order=order, now=timezone.now())
        run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.REFUNDED
        assert order.refund_id
        assert not QuotaGrant.objects.exists()
        assert not Invoice.objects.exists()

    def test_an_unknown_pack_is_refused(self, sign_up: SignUpCall) -> None:
        with pytest.raises(Refused, match="no pack"):
            services.extension_order(
                tenant=sign_up("free").tenant, pack_code="extra-∞", token="", actor=None,
                now=timezone.now(),
            )  # fmt: skip

    def test_an_expired_checkout_ends_the_order_and_can_be_begun_again(
        self, sign_up: SignUpCall
    ) -> None:
        order = extension(sign_up("free").tenant)
        start(order)
        order.refresh_from_db()
        payments.checkout_expire(session_id=order.checkout_session_id)
        assert services.order_check(order=order, now=timezone.now()).state == OrderState.EXPIRED
        first = order.checkout_session_id
        buy(order)
        assert order.checkout_session_id != first
        services.order_check(order=order, now=timezone.now())
        assert QuotaGrant.objects.get().requests == 100


class TestFaults:
    """We die before or after each outside call: one charge, one grant, one invoice."""

    CALLS = ("customer_create", "checkout_create", "checkout_get")

    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_one_charge_and_one_grant(
        self, sign_up: SignUpCall, monkeypatch: pytest.MonkeyPatch, name: str, when: str
    ) -> None:
        order = extension(sign_up("free").tenant)
        real = getattr(payments, name)
        deaths = [1]

        def dying(**parameters: object) -> object:
            if deaths and when == "before":
                deaths.pop()
                raise KeyboardInterrupt
            answer = real(**parameters)
            if deaths:
                deaths.pop()
                raise KeyboardInterrupt
            return answer

        monkeypatch.setattr(payments, name, dying)

        def until_it_lives() -> None:
            url = start(order)
            if url:
                pay(url)
            checkout.orders_sweep(clock=lambda: timezone.now() + timedelta(minutes=2))

        for _ in range(2):
            try:
                until_it_lives()
            except KeyboardInterrupt:
                continue
        checkout.orders_sweep(clock=lambda: timezone.now() + timedelta(minutes=2))
        assert not deaths
        assert QuotaGrant.objects.get().requests == 100
        assert Invoice.objects.count() == 1
        charges = [e for e in events_of(order) if e.type == "payment_intent.succeeded"]
        assert len(charges) == 1

    def test_a_webhook_that_never_comes_changes_nothing(self, sign_up: SignUpCall) -> None:
        order = extension(sign_up("free").tenant)
        buy(order)
        assert checkout.orders_sweep(clock=lambda: timezone.now() + timedelta(minutes=1)) == 1
        assert QuotaGrant.objects.get().requests == 100

    def test_a_forged_webhook_is_refused(self, shop: None) -> None:
        with pytest.raises(payments.BadSignature):
            services.webhook_receive(payload=b"{}", signature="t=1,v1=00", now=timezone.now())
        assert not StripeEvent.objects.exists()

    def test_stripe_away_leaves_the_order_waiting(
        self, sign_up: SignUpCall, settings: object
    ) -> None:
        order = extension(sign_up("free").tenant)
        settings.STRIPE_API_BASE = NOBODY  # type: ignore[attr-defined]
        with pytest.raises(payments.PaymentUnavailable):
            start(order)
        order.refresh_from_db()
        assert order.state == OrderState.PENDING

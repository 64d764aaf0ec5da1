"""The pages that money passes through, and Stripe's deliveries over HTTP."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.test import Client
from django.urls import resolve, reverse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from billing import payments
from billing.models import Invoice, Order, OrderState, StripeEvent
from portal.local.payments.server import LocalPayments
from tenants.links import address, whose
from tenants.models import Member, QuotaGrant, Role, Tenant, User
from tenants.services import tenant_create
from tests.answers import said
from tests.billing.conftest import SignUpCall, buy, events_of, pay, stripe_client
from tests.cast import PASSWORD
from tests.conftest import RunTasks
from tests.env import NOBODY

pytestmark = pytest.mark.django_db(transaction=True)
BUY = {"pack": "extra-100", "token": "0123456789abcdef"}


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return sign_up("free").tenant


@pytest.fixture
def browser(tenant: Tenant, owner: User, client: Client) -> Client:
    client.force_login(owner)
    return client


def press_buy(browser: Client, **more: str) -> Order:
    answer = browser.post(reverse("billing-extension-buy"), {**BUY, **more})
    found = resolve(answer["Location"])
    assert found.url_name == "billing-checkout"
    return Order.objects.get(uuid=found.kwargs["order_uuid"])


class TestBuying:
    def test_from_the_pack_to_the_pdf(self, browser: Client) -> None:
        order = press_buy(browser)
        answer = browser.get(reverse("billing-checkout", args=[order.uuid]))
        assert answer.status_code == 302
        paid = pay(answer["Location"])
        back = reverse("billing-checkout-return", args=[order.uuid])
        # Whatever organisation was chosen meanwhile, in another tab.
        assert paid.headers["Location"] == address(order.tenant, back)
        assert address(order.tenant, back) == f"http://localhost:8000{back}{whose(order.tenant)}"
        assert browser.get(back).context["order"]["state"] == "paid"  # before any webhook
        row = browser.get(reverse("billing-invoices")).context["invoices"][0]
        assert (row["total_display"], row["state"]) == ("$1.00", "paid")
        pdf = browser.get(row["pdf_url"])
        assert (pdf["Content-Type"], pdf.content[:4]) == ("application/pdf", b"%PDF")
        listed = browser.get("/api/v1/invoices/").json()
        assert [(each["number"], each["total"]) for each in listed] == [(row["number"], 100)]
        invoice = browser.get(f"/api/v1/invoices/{row['number']}/").json()
        assert [line["amount"] for line in invoice["lines"]] == [100]
        assert invoice["period_end"] == f"{order.period_end - timedelta(days=1)}"
        program = browser.get(f"/api/v1/invoices/{row['number']}/pdf/")
        assert (program["Content-Type"], program.content) == ("application/pdf", pdf.content)
        gone = browser.get("/api/v1/invoices/2000-000001/pdf/")
        assert (gone["Content-Type"], gone.json()["code"]) == (
            "application/problem+json", "not_found",
        )  # fmt: skip
        strangers = Client()
        other = User.objects.create_user("charlie@example.org", PASSWORD)
        usage_plan = order.tenant.usage_plan
        tenant_create(name="Charlie Corp", owner=other, usage_plan=usage_plan, now=timezone.now())
        strangers.force_login(other)
        assert strangers.get("/api/v1/invoices/").json() == []
        assert strangers.get(f"/api/v1/invoices/{row['number']}/").status_code == 404
        assert strangers.get(row["pdf_url"]).status_code == 404
        bought = browser.get(reverse("billing")).context["extensions"][0]
        assert (bought.requests, bought.left, bought.state) == (100, 100, "applying")
        (extension,) = browser.get("/api/v1/extensions/").json()
        assert (extension["name"], extension["left"], extension["state"]) == (
            bought.name, 100, "applying",
        )  # fmt: skip
        assert strangers.get("/api/v1/extensions/").json() == []

    def test_pressed_twice_it_is_one_order(self, browser: Client) -> None:
        assert press_buy(browser) == press_buy(browser)
        assert press_buy(browser, token="another") != press_buy(browser)
        assert Order.objects.count() == 2

    def test_only_the_first_look_asks_stripe(
        self, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = buy(press_buy(browser))
        back = reverse("billing-checkout-return", args=[order.uuid])
        asked: list[str] = []
        real = payments.checkout_get

        def counted(*, session_id: str) -> payments.CheckoutState:
            asked.append(session_id)
            return real(session_id=session_id)

        monkeypatch.setattr(payments, "checkout_get", counted)
        assert browser.get(back, headers={"HX-Request": "true"}).status_code == 200
        assert asked == []
        for _ in range(2):
            browser.get(back)
        assert asked == [order.checkout_session_id]

    def test_without_stripe_nothing_is_lost_and_the_page_says_so(
        self, browser: Client, settings: Any
    ) -> None:
        order = press_buy(browser)
        address = reverse("billing-checkout", args=[order.uuid])
        here = settings.STRIPE_API_BASE
        settings.STRIPE_API_BASE = NOBODY
        answer = browser.get(address, follow=True)
        settings.STRIPE_API_BASE = here
        assert "Nothing was charged" in said(answer)
        assert browser.get(address).status_code == 302
        order.refresh_from_db()
        assert order.checkout_session_id

    def test_an_unknown_pack_is_named(self, browser: Client) -> None:
        answer = browser.post(reverse("billing-extension-buy"), {"pack": "<b>"}, follow=True)
        assert "There is no pack “<b>” on sale." in said(answer)
        assert not Order.objects.exists()

    def test_a_developer_is_not_led_to_the_payment(self, browser: Client, tenant: Tenant) -> None:
        order = press_buy(browser)
        bob = User.objects.create_user("bob@example.com", PASSWORD)
        Member.objects.create(
            tenant=tenant, user=bob, role=Role.DEVELOPER, created_at=timezone.now()
        )
        browser.force_login(bob)
        answer = browser.get(reverse("billing-checkout", args=[order.uuid]), follow=True)
        assert answer.status_code == 403
        order.refresh_from_db()
        assert order.checkout_session_id == ""

    def test_a_card_is_saved_without_a_charge(self, browser: Client) -> None:
        browser.post(reverse("billing-card-add"), {"token": "card"})
        buy(Order.objects.get())
        browser.get(reverse("billing-checkout-return", args=[Order.objects.get().uuid]))
        (card,) = browser.get(reverse("billing")).context["cards"]
        assert (str(card), card.expiry, card.is_default) == ("visa 4242", "12/2040", True)
        assert not Invoice.objects.exists()


class TestDeliveries:
    @pytest.fixture
    def control(self, live_server: LiveServer, local_payments: LocalPayments) -> Iterator[str]:
        local_payments.webhook_url = f"{live_server.url}{reverse('stripe-webhook')}"
        yield f"{local_payments.url}/_sekisho/webhooks"
        local_payments.webhook_url = None

    def delivered(self, control: str) -> None:
        """Wait until no delivery is under way."""
        until = time.monotonic() + 20
        while httpx.get(control).json()["pending"]:
            assert time.monotonic() < until, httpx.get(control).text

    def test_five_more_and_two_at_once_change_nothing(
        self, tenant: Tenant, browser: Client, control: str, run_tasks: RunTasks
    ) -> None:
        order = buy(press_buy(browser))
        self.delivered(control)
        run_tasks("default")
        order.refresh_from_db()
        assert order.state == OrderState.FULFILLED
        (event,) = (e for e in events_of(order) if e.type == "checkout.session.completed")
        stored = StripeEvent.objects.count()

        def again(times: int) -> None:
            httpx.post(f"{control}/redeliver", json={"event": event.id, "times": times})

        again(5)
        at_once = [threading.Thread(target=again, args=[1]) for _ in range(2)]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
        self.delivered(control)
        run_tasks("default")
        answers = [d for d in httpx.get(control).json()["deliveries"] if d["event"] == event.id]
        assert len(answers) == 8
        assert StripeEvent.objects.count() == stored
        assert QuotaGrant.objects.get().requests == 100
        assert Invoice.objects.get().total == 100
        charges = stripe_client().v1.charges.list({"payment_intent": order.payment_intent_id})
        assert [charge.amount for charge in charges] == [100]

"""A shop: the seeded catalogue, a tenant's owner, and a browser at the local Checkout."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
import stripe
from django.conf import settings
from django.utils import timezone

from billing import services
from billing.models import Invoice, Order
from billing.services import SignUp
from billing.services.events import webhook_receive
from tenants.models import Tenant, User
from tests.billing.orders import SIGNED_UP, extension
from tests.billing.transactions import transactions_watched

SignUpCall = Callable[..., SignUp]
VISA, DECLINED = "4242424242424242", "4000000000000002"
BACK = "http://localhost:8000/back"


@pytest.fixture
def watched(transactional_db: None) -> Iterator[None]:
    """Look at the order of locks, and that no transaction asks Stripe."""
    with transactions_watched():
        yield


@pytest.fixture
def shop(transactional_db: None, valkey: str, stripe_api: None) -> None:
    services.seed(now=timezone.now())


@pytest.fixture
def owner(transactional_db: None) -> User:
    return User.objects.create_user("owner@example.org", "barrier-station-53")


@pytest.fixture
def sign_up(shop: None, owner: User) -> SignUpCall:
    def sign(plan: str, *, now: datetime | None = None, currency: str = "USD") -> SignUp:
        return services.sign_up(
            user=owner, organization="Alice Corp", plan_code=plan, currency=currency,
            now=now or timezone.now(), language="en",
        )  # fmt: skip

    return sign


@pytest.fixture
def first_month(sign_up: SignUpCall) -> Order:
    """The order of who signed up to `starter`: what is left of November, not paid yet."""
    order = sign_up("starter", now=SIGNED_UP).order
    assert order is not None
    return order


def start(order: Order, *, now: datetime | None = None) -> str:
    """Bring an order to Checkout; return the page's address."""
    order.refresh_from_db()
    return services.checkout_start(
        order=order, success_url=BACK, cancel_url=BACK, now=now or timezone.now()
    )


def pay(url: str, card: str = VISA) -> httpx.Response:
    """Fill in the card on the Checkout page, as a buyer does."""
    form = {"card_number": card, "exp": "12 / 40", "cvc": "123", "name": "Alice"}
    with httpx.Client(trust_env=False) as browser:
        browser.get(url).raise_for_status()
        return browser.post(url, data=form)


def buy(order: Order, card: str = VISA, *, now: datetime | None = None) -> Order:
    """Pay an order at Checkout; no webhook has come yet."""
    pay(start(order, now=now), card)
    order.refresh_from_db()
    return order


def bought(tenant: Tenant, *, form: str = "1", now: datetime) -> Order:
    """Order a pack, pay it at Checkout, and have it delivered."""
    order = extension(tenant, form=form, now=now)
    return services.order_check(order=buy(order, now=now), now=now)


def subscribe(sign_up: SignUpCall, plan: str = "starter", **more: str) -> Tenant:
    """Sign up on the 24th of November, and pay what is to be paid."""
    day = datetime(2026, 11, 24, tzinfo=UTC)
    signed_up = sign_up(plan, now=day, **more)
    if signed_up.order is not None:
        buy(signed_up.order, now=day)
        services.order_check(order=signed_up.order, now=day + timedelta(hours=1))
    return signed_up.tenant


@pytest.fixture
def starter(sign_up: SignUpCall) -> Tenant:
    """A tenant on `starter` since the 24th of November."""
    return subscribe(sign_up)


@dataclass
class Billed:
    """What a close issued, and what became of collecting it."""

    written: list[Invoice]
    collected: int
    declined: int
    failed: dict[str, str]


def close_and_collect(now: datetime, *, month: date | None = None) -> Billed:
    """Close what is due and collect it, as beat does every hour."""
    written: list[Invoice] = []
    closed = services.close_month(
        now=now, month=month, each=lambda invoice, draft: written.append(invoice)
    )
    run = services.collect(now=now)
    return Billed(written, run.collected, run.declined, closed.failed | run.failed)


def stripe_client() -> stripe.StripeClient:
    """Return an operator's own way to Stripe, past ours."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY, base_addresses={"api": settings.STRIPE_API_BASE}
    )


def events() -> list[stripe.Event]:
    """Return the last hundred things that happened at the local payments, oldest first."""
    return stripe_client().v1.events.list({"limit": 100}).data[::-1]


def becomes(id: str, outcome: str) -> None:
    """Let something happen to an object at the local payments, such as a refund to fail."""
    url = f"{settings.STRIPE_API_BASE}/_sekisho/outcome"
    httpx.post(url, json={"id": id, "outcome": outcome}, trust_env=False).raise_for_status()


def deliver(event: stripe.Event) -> None:
    """Send an event to the webhook's service, signed as Stripe signs it."""
    payload = json.dumps(event.to_dict()).encode()
    at = int(time.time())
    signed = f"{at}.".encode() + payload
    digest = hmac.new(settings.STRIPE_WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    webhook_receive(payload=payload, signature=f"t={at},v1={digest}", now=timezone.now())


def events_of(what: Order | Invoice) -> list[stripe.Event]:
    """Return the events of one order's, or invoice's, sessions and payments."""
    found = []
    for event in events():
        body = event.to_dict()["data"]["object"]
        metadata = body.get("metadata") or {}
        if str(what.uuid) in {metadata.get("order"), metadata.get("invoice")}:
            found.append(event)
    return found

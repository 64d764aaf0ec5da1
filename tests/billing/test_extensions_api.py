"""Extensions, top-ups and caps by the management API; a person pays what a program orders."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing import services
from billing.models import AutoTopUp, Order, SpendingCap
from tenants.models import Tenant, User
from tenants.scopes import Scope
from tenants.services import api_token_create
from tests.billing.conftest import SignUpCall, buy
from tests.billing.saved_cards import save

pytestmark = pytest.mark.django_db(transaction=True)


def machine(tenant: Tenant) -> Client:
    """Return a program that may buy."""
    _token, value = api_token_create(
        tenant=tenant, user=None, name="ci", scopes={Scope.BILLING_READ, Scope.BILLING_WRITE},
        days=1, actor=User.objects.get(), now=timezone.now(),
    )  # fmt: skip
    return Client(headers={"Authorization": f"Bearer {value}"})


def call(client: Client, method: str, path: str, status: int, key: str = "", **body: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.generic(
        method, f"/api/v1/{path}", json.dumps(body), "application/json", headers=headers
    )
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


def test_a_program_orders_a_person_pays_and_a_program_gives_it_back(sign_up: SignUpCall) -> None:
    program = machine(sign_up("free").tenant)
    pack = call(program, "GET", "packs/", 200)[0]
    assert (pack["code"], pack["amount"], pack["currency"]) == ("extra-100", 100, "USD")
    assert call(program, "POST", "extensions/", 409, pack="none")["code"] == "refused"
    ordered = [call(program, "POST", "extensions/", 201, "once", pack="extra-100") for _ in "ab"]
    order = Order.objects.get()
    assert ordered[0] == ordered[1]
    own = f"orders/{order.uuid}/"
    assert call(program, "POST", f"{own}give-back/", 409)["code"] == "not_in_this_state"
    services.order_check(order=buy(order), now=timezone.now())
    read = call(program, "GET", own, 200)
    assert (read["state"], read["checkout_url"], read["amount"]) == ("fulfilled", None, 100)
    (extension,) = call(program, "GET", "extensions/", 200)
    assert (extension["order"], extension["may_be_given_back"]) == (str(order.uuid), True)
    given = [call(program, "POST", f"{own}give-back/", 200)["state"] for _ in "ab"]
    assert given == ["taking_back"] * 2


def test_top_ups_are_set_and_stopped(sign_up: SignUpCall) -> None:
    tenant = sign_up("free").tenant
    program = machine(tenant)
    wanted: Any = {"pack": "extra-100", "percent": 20, "most_per_period": 3}
    assert call(program, "PUT", "top-up/", 409, **wanted)["code"] == "refused"  # without a card
    save(tenant)
    done = call(program, "PUT", "top-up/", 200, **wanted)
    assert (done["on"], done["pack"], done["most_per_period"]) == (True, "extra-100", 3)
    call(program, "DELETE", "top-up/", 204)
    assert not call(program, "GET", "top-up/", 200)["on"]
    assert not AutoTopUp.objects.get().is_on


def test_a_cap_is_set_where_requests_have_a_price_and_lifted(sign_up: SignUpCall) -> None:
    tenant = sign_up("free").tenant
    program = machine(tenant)
    assert call(program, "PUT", "spending-cap/", 409, amount=50_00)["code"] == "refused"
    save(tenant)
    call(program, "PUT", "plan/", 200, plan="payg", amount=0)
    assert call(program, "PUT", "spending-cap/", 200, amount=50_00) == {
        "currency": "USD", "amount": 50_00, "spent": 0,
    }  # fmt: skip
    call(program, "DELETE", "spending-cap/", 204)
    assert call(program, "GET", "spending-cap/", 200)["amount"] is None
    assert not SpendingCap.objects.exists()

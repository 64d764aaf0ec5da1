"""Changes of plan by the management API: what is offered is what is agreed to."""

from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from billing import services
from billing.models import Currency, Customer, Order, PlanChange
from tenants.links import whose
from tenants.models import AuditEntry, Tenant, User
from tenants.scopes import Scope
from tenants.services import api_token_create
from tests.billing.changed import plan_of

pytestmark = pytest.mark.django_db
JSON = "application/json"
PLAN, KEEP = "/api/v1/plan/", "/api/v1/plan/keep/"


@pytest.fixture
def tenant() -> Tenant:
    """A tenant on `free`, whose owner is alice@example.com."""
    services.seed(now=timezone.now())
    return services.sign_up(
        user=User.objects.create_user("alice@example.com"), organization="Alice Corp",
        plan_code="free", currency=Currency.USD, now=timezone.now(), language="en",
    ).tenant  # fmt: skip


@pytest.fixture
def client(tenant: Tenant) -> Client:
    """A machine that may buy."""
    _token, value = api_token_create(
        tenant=tenant, user=None, name="ci", scopes={Scope.BILLING_READ, Scope.BILLING_WRITE},
        days=1, actor=User.objects.get(), now=timezone.now(),
    )  # fmt: skip
    return Client(headers={"Authorization": f"Bearer {value}"})


def offer(client: Client, plan: str, query: str = "") -> Any:
    answer = client.get(f"/api/v1/plans/{plan}/offer/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def change(client: Client, plan: str, amount: int, **more: Any) -> Any:
    body = {"plan": plan, "amount": amount, **more}
    return client.put(PLAN, body, content_type=JSON)


def test_a_plan_with_a_fee_is_ordered_and_waits_for_a_person(
    client: Client, tenant: Tenant
) -> None:
    amount = offer(client, "starter")["amount"]
    assert 0 < amount <= 29_00
    refused = change(client, "starter", amount + 1)
    assert (refused.status_code, refused.json()["code"]) == (409, "amount_changed")
    assert not Order.objects.exists()
    answers = [change(client, "starter", amount).json() for _ in range(2)]
    order = answers[0]["order"]
    assert answers[1] == answers[0] == client.get(PLAN).json()
    assert (order["state"], order["amount"], order["applied"]) == ("pending", amount, False)
    page, named = order["checkout_url"].removeprefix("http://localhost:8000").split("?")
    assert f"?{named}" == whose(tenant)
    leads = resolve(page)
    assert (leads.url_name, str(leads.kwargs["order_uuid"])) == ("billing-checkout", order["id"])
    assert client.get(f"/api/v1/orders/{order['id']}/").json() == order
    assert client.post(KEEP).json()["order"] is None
    gone = client.get(f"/api/v1/orders/{order['id']}/").json()
    assert (gone["checkout_url"], plan_of(tenant)) == (None, "free")


def test_a_cheaper_one_is_scheduled_taken_back_or_had_at_once(
    client: Client, tenant: Tenant
) -> None:
    customer, _is_new = Customer.objects.get_or_create(tenant=tenant)
    customer.payment_method_id = "pm_1"
    customer.save()
    assert change(client, "payg", 0).json()["plan"]["code"] == "payg"
    later, at_once = offer(client, "free"), offer(client, "free", "?at_once=true")
    assert (later["at_once"], at_once["at_once"]) == (False, True)
    scheduled = change(client, "free", 0).json()
    assert scheduled["change"]["plan"]["code"] == "free"
    assert scheduled["change"]["takes_effect_on"] == later["takes_effect_on"]
    kept = [client.post(KEEP).json() for _ in range(2)]
    assert [each["change"] for each in kept] == [None, None]
    assert PlanChange.objects.get().state == "withdrawn"
    acts = AuditEntry.objects.filter(action__startswith="plan_change.").order_by("id")
    assert list(acts.values_list("action", "actor_name")) == [
        ("plan_change.scheduled", "ci"), ("plan_change.withdrawn", "ci"),
    ]  # fmt: skip
    assert change(client, "free", 0, at_once=True).json()["plan"]["code"] == "free"
    assert plan_of(tenant) == "free"


def test_the_plan_says_what_it_is_and_how_many_keys_are_left(client: Client) -> None:
    held = client.get(PLAN).json()
    assert (held["plan"]["code"], held["plan"]["quota"], held["plan"]["monthly_fee"]) == (
        "free", 100, 0,
    )  # fmt: skip
    assert held["keys_left"] == held["plan"]["most_keys"] - 1
    on_sale = {each["code"]: each for each in client.get("/api/v1/plans/").json()}
    assert on_sale["free"] == held["plan"]
    assert (on_sale["payg"]["quota"], on_sale["starter"]["usage_prices"]) == (None, [])
    assert on_sale["payg"]["usage_prices"][0] == {
        "meter": "requests", "up_to": 1000, "unit_amount": "0.0000",
    }  # fmt: skip
    assert client.get("/api/v1/plans/none/offer/").status_code == 404
    assert client.get("/api/v1/plans/free/offer/").status_code == 409


def test_it_changes_only_what_was_read(client: Client) -> None:
    read = {"If-Match": client.get(PLAN)["ETag"]}
    body = '{"plan": "payg", "amount": 0}'
    answers = [client.generic("PUT", PLAN, body, JSON, headers=read) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 412]

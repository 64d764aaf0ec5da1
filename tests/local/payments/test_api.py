"""The API's manners: keys, parameters, errors, headers, lists and expansion."""

from typing import Any

import httpx
import pytest
import stripe

from portal.local.payments.server import LocalPayments
from portal.local.payments.store import API_VERSION
from tests.local.payments.conftest import KEY, charge, checkout, customer, sdk


@pytest.fixture
def api(payments: LocalPayments) -> httpx.Client:
    return httpx.Client(base_url=payments.url, headers={"Authorization": f"Bearer {KEY}"})


def test_a_wrong_key_opens_nothing(payments: LocalPayments) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        sdk(payments.url, "sk_test_somebody_elses_key").v1.customers.list()
    assert caught.value.http_status == 401
    assert "somebody" not in str(caught.value)


def test_no_key_and_basic_auth(payments: LocalPayments) -> None:
    assert httpx.get(f"{payments.url}/v1/customers").status_code == 401
    assert httpx.get(f"{payments.url}/v1/customers", auth=(KEY, "")).status_code == 200
    assert httpx.get(f"{payments.url}/v1/customers", auth=("x", "")).status_code == 401


def test_the_version_is_the_sdks_and_is_echoed(api: httpx.Client) -> None:
    with api:
        answer = api.get("/v1/customers")
        older = api.get("/v1/customers", headers={"Stripe-Version": "2024-06-20"})
    assert stripe.api_version == API_VERSION
    assert answer.headers["Stripe-Version"] == API_VERSION
    assert older.headers["Stripe-Version"] == "2024-06-20"
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"emial": "a@example.com"}, "emial", "parameter_unknown"),
        ({"address": {"planet": "Mars"}}, "address[planet]", "parameter_unknown"),
        ({"tax_exempt": "maybe"}, "tax_exempt", None),
        ({"metadata": {"k" * 41: "v"}}, "metadata", None),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, "metadata", None),
        ({"name": "n" * 257}, "name", None),
        ({"address": "Tokyo"}, "address", None),
        ({"preferred_locales": "ja"}, "preferred_locales", None),
    ],
)
def test_a_bad_parameter_is_named(
    client: stripe.StripeClient, params: Any, param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.create(params)
    assert (caught.value.http_status, caught.value.param) == (400, param)
    assert caught.value.code == code
    error = caught.value.error
    assert error is not None
    assert error.type == "invalid_request_error"
    if code:
        assert error.doc_url == "https://docs.stripe.com/error-codes/parameter-unknown"


@pytest.mark.parametrize("body", ["a=1&a[b]=2", "a[b]=2&a=1", "[x]=1", "=1", "a[b=1", b"\xff=1"])
def test_a_malformed_body_is_refused(api: httpx.Client, body: str | bytes) -> None:
    with api:
        answer = api.post("/v1/customers", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_an_address_that_is_not_there(api: httpx.Client) -> None:
    with api:
        for answer in (
            api.get("/v1/subscriptions"),
            api.delete("/v1/refunds/re_1"),
            api.post("/v1/events"),
        ):
            assert answer.status_code == 404
            assert "Unrecognized request URL" in answer.json()["error"]["message"]


def test_too_much_is_refused(api: httpx.Client) -> None:
    with api:
        assert api.post("/v1/customers", content="name=" + "n" * 1_000_001).status_code == 413


def test_missing_objects(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as by_address:
        client.v1.customers.retrieve("cus_missing")
    assert (by_address.value.http_status, by_address.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as by_parameter:
        checkout(client, customer="cus_missing")
    assert (by_parameter.value.http_status, by_parameter.value.param) == (400, "customer")
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.retrieve(customer(client).id)


def test_pages_of_a_list(client: stripe.StripeClient) -> None:
    ids = [customer(client).id for _ in range(5)][::-1]
    first = client.v1.customers.list({"limit": 2})
    assert [c.id for c in first.data] == ids[:2]
    assert first.has_more
    last = client.v1.customers.list({"limit": 2, "starting_after": ids[2]})
    assert ([c.id for c in last.data], last.has_more) == (ids[3:], False)
    back = client.v1.customers.list({"limit": 2, "ending_before": ids[4]})
    assert ([c.id for c in back.data], back.has_more) == (ids[2:4], True)
    assert [c.id for c in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == ids


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "ten"},
        {"starting_after": "cus_missing"},
        {"starting_after": ""},
        {"expand": ["customer"]},
        {"created": {"since": 3}},
    ],
)
def test_a_page_that_cannot_be(client: stripe.StripeClient, params: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.list(params)


def test_only_one_cursor(client: stripe.StripeClient) -> None:
    id = customer(client).id
    with pytest.raises(stripe.InvalidRequestError, match="not both"):
        client.v1.customers.list({"starting_after": id, "ending_before": id})


def test_expansion(client: stripe.StripeClient) -> None:
    intent = charge(client, expand=["latest_charge.balance_transaction", "payment_method"])
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(intent.latest_charge.balance_transaction, stripe.BalanceTransaction)
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    listed = client.v1.payment_intents.list({"expand": ["data.latest_charge"]}).data[0]
    assert isinstance(listed.latest_charge, stripe.Charge)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.retrieve(intent.id, {"expand": ["amount"]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        client.v1.payment_intents.retrieve(intent.id, {"expand": ["a.b.c.d.e"]})


def test_private_notes_stay_private(client: stripe.StripeClient, api: httpx.Client) -> None:
    intent = charge(client)
    session = checkout(client)
    with api:
        for path in (
            f"/v1/payment_intents/{intent.id}?expand[]=payment_method",
            f"/v1/checkout/sessions/{session.id}?expand[]=line_items",
            "/v1/events?limit=100",
        ):
            answer = api.get(path)
            assert answer.status_code == 200
            assert '"_' not in answer.text

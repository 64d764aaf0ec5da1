"""Payment intents by API: charges on and off session, declines, 3-D Secure, cancellation."""

from typing import Any

import httpx
import pytest
import stripe

from tests.local.payments.conftest import charge, checkout, customer


def test_charged_at_once(client: stripe.StripeClient) -> None:
    intent = charge(client, metadata={"invoice": "7"}, expand=["latest_charge"])
    assert intent.id.startswith("pi_")
    assert (intent.status, intent.amount_received) == ("succeeded", 500)
    paid = intent.latest_charge
    assert isinstance(paid, stripe.Charge)
    assert (paid.paid, paid.amount_captured, paid.amount_refunded) == (True, 500, 0)
    assert paid.metadata.to_dict() == {"invoice": "7"}
    assert [c.id for c in client.v1.charges.list({"payment_intent": intent.id}).data] == [paid.id]


def test_created_then_confirmed(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 50, "currency": "jpy"})
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        client.v1.payment_intents.confirm(intent.id)
    done = client.v1.payment_intents.confirm(
        intent.id,
        {"payment_method": "pm_card_visa", "allowed_payment_method_types": ["card"]},
    )
    assert done.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert caught.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"amount": 49}, "amount", "amount_too_small"),
        ({"amount": 49, "currency": "jpy"}, "amount", "amount_too_small"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": -5}, "amount", None),
        ({"amount": "5.00"}, "amount", "parameter_invalid_integer"),
        ({"currency": "xyz"}, "currency", None),
        ({"currency": "USD"}, "currency", None),
        ({"currency": ""}, "currency", "parameter_invalid_empty"),
        ({"customer": "cus_x"}, "customer", "resource_missing"),
        ({"payment_method": "pm_x"}, "payment_method", "resource_missing"),
        ({"capture_method": "manual"}, "capture_method", None),
        ({"confirm": "yes"}, "confirm", None),
        ({"confirm": False, "off_session": True}, "off_session", None),
        ({"application_fee_amount": 5}, "application_fee_amount", "parameter_unknown"),
        ({"return_url": "javascript:alert(1)"}, "return_url", "url_invalid"),
        (
            {"payment_method_types": ["card"]},
            "payment_method_types",
            "payment_method_types_no_longer_supported",
        ),
        ({"allowed_payment_method_types": ["konbini"]}, "allowed_payment_method_types[0]", None),
    ],
)
def test_refusals(client: stripe.StripeClient, params: Any, param: str, code: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        charge(client, **params)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert client.v1.payment_intents.list().data == []


@pytest.mark.parametrize("name", ["amount", "currency"])
def test_what_must_be_there(client: stripe.StripeClient, name: str) -> None:
    given: Any = {"amount": 500, "currency": "usd"}
    del given[name]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.create(given)
    assert (caught.value.param, caught.value.code) == (name, "parameter_missing")


def test_redirecting_methods_need_a_return_url(client: stripe.StripeClient) -> None:
    given: Any = {
        "amount": 500,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
    }
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.payment_intents.create(given)
    given["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
    assert client.v1.payment_intents.create(given).status == "succeeded"
    given["allowed_payment_method_types"] = ["card"]
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        client.v1.payment_intents.create(given)


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_a_decline_stays_on_record(
    client: stripe.StripeClient, token: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        charge(client, payment_method=token)
    error = caught.value.error
    assert error is not None
    assert (caught.value.http_status, error.type) == (402, "card_error")
    assert (error.code, error.to_dict().get("decline_code")) == (code, decline_code)
    assert error.payment_intent is not None
    intent = client.v1.payment_intents.retrieve(
        error.payment_intent.id, {"expand": ["latest_charge"]}
    )
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    assert intent.last_payment_error is not None
    assert (intent.last_payment_error.code, intent.last_payment_error.charge) == (
        code,
        error.charge,
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.status, intent.latest_charge.paid) == ("failed", False)
    types = [event.type for event in client.v1.events.list().data]
    assert types == ["payment_intent.payment_failed", "charge.failed", "payment_intent.created"]
    assert client.v1.balance_transactions.list().data == []
    again = client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert again.status == "succeeded"


def test_off_session_with_a_card_that_asks_every_time(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    alice = customer(client)
    card = client.v1.payment_methods.attach(
        "pm_card_authenticationRequired", {"customer": alice.id}
    )
    with pytest.raises(stripe.CardError) as caught:
        charge(client, customer=alice.id, payment_method=card.id, off_session=True)
    error = caught.value.error
    assert error is not None
    assert (error.code, error.decline_code) == ("authentication_required",) * 2
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    # The cardholder comes back: on session, with a page of the bank's and a way home.
    intent = client.v1.payment_intents.confirm(
        error.payment_intent.id,
        {"payment_method": card.id, "return_url": "http://localhost:8000/invoices/7?x=1"},
    )
    assert intent.status == "requires_action"
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    bank = intent.next_action.redirect_to_url.url
    assert bank is not None
    assert "$5.00" in visitor.get(bank).text
    home = visitor.post(bank, data={"outcome": "complete"})
    assert home.status_code == 303
    assert home.headers["Location"].startswith(
        f"http://localhost:8000/invoices/7?x=1&payment_intent={intent.id}&"
    )
    assert home.headers["Location"].endswith("redirect_status=succeeded")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert (
        visitor.post(bank, data={"outcome": "fail"}).headers["Location"]
        == (home.headers["Location"])
    )
    assert len(client.v1.balance_transactions.list().data) == 1


def test_authentication_can_be_refused_or_failed(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    with pytest.raises(stripe.CardError):
        charge(
            client, payment_method="pm_card_authenticationRequired", error_on_requires_action=True
        )
    intent = charge(client, payment_method="pm_card_authenticationRequired")
    assert intent.next_action is not None
    assert intent.next_action.type == "use_stripe_sdk"
    answer = visitor.post(f"/authenticate/{intent.id}", data={"outcome": "fail"})
    assert answer.status_code == 200
    failed = client.v1.payment_intents.retrieve(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"


def test_cancel(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    gone = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "duplicate"})
    assert (gone.status, gone.cancellation_reason) == ("canceled", "duplicate")
    for again in (client.v1.payment_intents.cancel, client.v1.payment_intents.confirm):
        with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
            again(intent.id)


def test_a_sessions_intent_belongs_to_its_page(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    session = checkout(client)
    card = {"card_number": "4000000000000002", "exp": "1240", "cvc": "123", "name": "A"}
    visitor.post(f"/checkout/{session.id}", data=card)
    intent = client.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert isinstance(intent, str)
    with pytest.raises(stripe.InvalidRequestError, match="Checkout Session"):
        client.v1.payment_intents.cancel(intent)
    with pytest.raises(stripe.InvalidRequestError, match="Checkout Session"):
        client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})


def test_listed_by_customer_and_time(client: stripe.StripeClient) -> None:
    alice = customer(client)
    charge(client)
    mine = charge(client, customer=alice.id)
    listed = client.v1.payment_intents.list({"customer": alice.id, "created": {"gte": 1}})
    assert [intent.id for intent in listed.data] == [mine.id]
    assert client.v1.payment_intents.list({"created": {"gt": mine.created}}).data == []
    assert client.v1.payment_intents.list({"created": 1}).data == []

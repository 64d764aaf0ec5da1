"""The pages that a payer sees, without a browser."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

from tests.local.payments.conftest import CANCEL, CARD, checkout, customer, line, page_of


def pay(visitor: httpx.Client, url: str, number: str, **fields: str) -> httpx.Response:
    return visitor.post(url, data={**CARD, "card_number": number, **fields})


def paid_url(id: str) -> str:
    return f"http://localhost:8000/paid?session={id}"


def test_paid(client: stripe.StripeClient, visitor: httpx.Client) -> None:
    session = checkout(client, payment_intent_data={"metadata": {"order": "7"}})
    url = page_of(session)
    answer = visitor.post(url, data=CARD)
    assert (answer.status_code, answer.headers["Location"]) == (303, paid_url(session.id))
    done = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.customer_details is not None
    assert done.customer_details.name == "Alice"
    assert isinstance(done.payment_intent, stripe.PaymentIntent)
    assert (done.payment_intent.status, done.payment_intent.amount_received) == ("succeeded", 100)
    assert done.payment_intent.metadata.to_dict() == {"order": "7"}
    assert "Payment complete" in visitor.get(url).text
    assert pay(visitor, url, "4000000000000002").headers["Location"] == paid_url(session.id)
    assert len(client.v1.charges.list().data) == 1
    with pytest.raises(stripe.InvalidRequestError, match="status of complete"):
        client.v1.checkout.sessions.expire(session.id)


def test_two_clicks_at_once_pay_once(client: stripe.StripeClient, visitor: httpx.Client) -> None:
    url = page_of(checkout(client))
    together = threading.Barrier(4)
    answers = []

    def click() -> None:
        together.wait()
        answers.append(httpx.post(url, data=CARD).status_code)

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [303] * 4
    assert len(client.v1.charges.list().data) == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4000000000009995", "insufficient funds"),
        ("4111111111111111", "not one of the test cards"),
    ],
)
def test_declined_and_tried_again(
    client: stripe.StripeClient, visitor: httpx.Client, number: str, text: str
) -> None:
    session = checkout(client)
    url = page_of(session)
    refused = pay(visitor, url, number)
    assert text in refused.text
    assert number not in refused.text.replace(" ", "").partition("<details")[0]
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert client.v1.balance_transactions.list().data == []
    assert visitor.post(url, data=CARD).status_code == 303
    intents = client.v1.payment_intents.list().data
    assert [intent.status for intent in intents] == ["succeeded"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"card_number": "4242 4242 4242 4241"}, "complete, valid card number"),
        ({"card_number": ""}, "complete, valid card number"),
        ({"card_number": "４２４２４２４２４２４２４２４２"}, "complete, valid card number"),
        ({"exp": "13 / 40"}, "Enter the expiry date"),
        ({"exp": ""}, "Enter the expiry date"),
        ({"exp": "01 / 20"}, "This card has expired"),
        ({"cvc": "12"}, "security code"),
        ({"cvc": "abc"}, "security code"),
        ({"name": " "}, "Enter the name"),
        ({"name": "n" * 201}, "too long"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    client: stripe.StripeClient, visitor: httpx.Client, fields: dict[str, str], text: str
) -> None:
    url = page_of(checkout(client))
    answer = visitor.post(url, data={**CARD, **fields})
    assert text in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert client.v1.payment_intents.list().data == []
    assert visitor.post(url).status_code == 200


@pytest.mark.parametrize("exp", ["1240", "12/40", "12 / 2040", "1 / 40", "12-40"])
def test_ways_to_write_the_expiry(
    client: stripe.StripeClient, visitor: httpx.Client, exp: str
) -> None:
    assert visitor.post(page_of(checkout(client)), data={**CARD, "exp": exp}).status_code == 303


def test_a_card_is_good_until_the_end_of_its_month(
    client: stripe.StripeClient, visitor: httpx.Client, control: Callable[..., Any]
) -> None:
    control("clock", now="2026-11-30T23:59:59Z")
    url = page_of(checkout(client))
    assert "This card has expired" in pay(visitor, url, "4242424242424242", exp="10/26").text
    assert pay(visitor, url, "4242424242424242", exp="11/26").status_code == 303


def test_saved_for_later_and_charged_off_session(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    alice = customer(client)
    session = checkout(
        client,
        customer=alice.id,
        payment_intent_data={"setup_future_usage": "off_session"},
    )
    url = page_of(session)
    assert "may charge this card for later payments" in visitor.get(url).text
    bank = pay(visitor, url, "4000002500003155").headers["Location"]
    intent = bank.rpartition("/")[2]
    assert client.v1.payment_intents.retrieve(intent).status == "requires_action"
    assert "•••• 3155" in visitor.get(bank).text
    assert visitor.post(bank, data={"outcome": "complete"}).headers["Location"] == paid_url(
        session.id
    )
    saved = client.v1.payment_methods.list({"customer": alice.id}).data
    again = client.v1.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "customer": alice.id,
            "payment_method": saved[0].id,
            "allowed_payment_method_types": ["card"],
            "off_session": True,
            "confirm": True,
        }
    )
    assert again.status == "succeeded"
    assert visitor.post(bank, data={"outcome": "complete"}).headers["Location"] == paid_url(
        session.id
    )
    assert len(client.v1.balance_transactions.list().data) == 2


def test_a_customer_is_made_for_a_card_that_is_kept(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    kept = checkout(
        client,
        customer_email="carol@example.com",
        payment_intent_data={"setup_future_usage": "off_session"},
    )
    visitor.post(page_of(kept), data=CARD)
    made = client.v1.checkout.sessions.retrieve(kept.id, {"expand": ["customer"]}).customer
    assert isinstance(made, stripe.Customer)
    assert made.email == "carol@example.com"
    guest = checkout(client)
    visitor.post(page_of(guest), data=CARD)
    assert client.v1.checkout.sessions.retrieve(guest.id).customer is None


def test_authentication_failed_then_another_card(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    session = checkout(client)
    url = page_of(session)
    bank = pay(visitor, url, "4000002760003184").headers["Location"]
    assert visitor.post(bank, data={"outcome": "fail"}).headers["Location"] == url
    assert "could not be authenticated" in visitor.get(url).text
    assert visitor.get(bank).headers["Location"] == url
    assert visitor.post(url, data=CARD).status_code == 303
    assert [i.status for i in client.v1.payment_intents.list().data] == ["succeeded"]


def test_the_bank_is_left_for_another_card(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    session = checkout(client)
    url = page_of(session)
    bank = pay(visitor, url, "4000002760003184").headers["Location"]
    assert visitor.post(url, data=CARD).headers["Location"] == paid_url(session.id)
    late = visitor.post(bank, data={"outcome": "complete"})
    assert late.headers["Location"] == paid_url(session.id)
    assert len(client.v1.balance_transactions.list().data) == 1


def test_setup_mode(client: stripe.StripeClient, visitor: httpx.Client) -> None:
    alice = customer(client)
    session = checkout(client, mode="setup", currency="usd", customer=alice.id)
    url = page_of(session)
    assert "Nothing is charged now" in visitor.get(url).text
    assert "Your card was declined." in pay(visitor, url, "4000000000000002").text
    bank = pay(visitor, url, "4000002500003155").headers["Location"]
    assert visitor.post(bank, data={"outcome": "fail"}).headers["Location"] == url
    assert "could not be authenticated" in visitor.get(url).text
    bank = pay(visitor, url, "4000002500003155").headers["Location"]
    visitor.post(bank, data={"outcome": "complete"})
    done = client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["setup_intent.payment_method"]}
    )
    assert (done.status, done.payment_status) == ("complete", "no_payment_required")
    assert isinstance(done.setup_intent, stripe.SetupIntent)
    assert done.setup_intent.status == "succeeded"
    assert isinstance(done.setup_intent.payment_method, stripe.PaymentMethod)
    assert done.setup_intent.payment_method.customer == alice.id
    assert "Card saved" in visitor.get(url).text
    assert client.v1.charges.list().data == []


def test_expired_while_at_the_bank(client: stripe.StripeClient, visitor: httpx.Client) -> None:
    session = checkout(client)
    url = page_of(session)
    bank = pay(visitor, url, "4000002500003155").headers["Location"]
    client.v1.checkout.sessions.expire(session.id)
    assert visitor.post(bank, data={"outcome": "complete"}).headers["Location"] == url
    gone = visitor.post(url, data=CARD)
    assert gone.status_code == 410
    assert "has expired" in gone.text
    assert CANCEL in gone.text
    assert [i.status for i in client.v1.payment_intents.list().data] == ["canceled"]
    setup = checkout(client, mode="setup", currency="usd", expand=["setup_intent"])
    client.v1.checkout.sessions.expire(setup.id)
    assert [i.status for i in client.v1.setup_intents.list().data] == ["canceled"]


def test_amounts_and_lines_as_written(client: stripe.StripeClient, visitor: httpx.Client) -> None:
    yen = checkout(
        client, locale="ja", line_items=[{**line(4500, "jpy", name="スターター"), "quantity": 2}]
    )
    page = visitor.get(page_of(yen)).text
    assert '<html lang="ja">' in page
    assert "¥9,000 を支払う" in page
    assert "2 × ¥4,500" in page
    dollars = checkout(client, line_items=[line(123_456)])
    assert "Pay $1,234.56" in visitor.get(page_of(dollars)).text


def test_the_language_follows_the_browser_unless_fixed(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    japanese = {"Accept-Language": "ja,en;q=0.8"}
    free, fixed = checkout(client, locale="auto"), checkout(client, locale="en")
    assert '<html lang="ja">' in visitor.get(page_of(free), headers=japanese).text
    assert '<html lang="en">' in visitor.get(page_of(free)).text
    assert '<html lang="en">' in visitor.get(page_of(fixed), headers=japanese).text


def test_nothing_of_a_strangers_becomes_markup(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    evil = '"><script>alert(1)</script>'
    session = checkout(client, customer_email=evil, line_items=[line(name=evil, description=evil)])
    for page in (
        visitor.get(page_of(session)).text,
        visitor.post(page_of(session), data={"name": evil, "exp": '"><b>'}).text,
    ):
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "&lt;script&gt;" in page


def test_the_policy_allows_nothing_inline_and_the_way_home(
    client: stripe.StripeClient, visitor: httpx.Client
) -> None:
    page = visitor.get(page_of(checkout(client)))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:8000;" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert " style=" not in page.text
    for path in ("/static/checkout.css", "/static/checkout.js"):
        assert path in page.text
        assert visitor.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/checkout/cs_test_x",
        "/authenticate/pi_x",
        "/static/../server.py",
        "/static/x",
        "/checkout/",
    ],
)
def test_what_is_not_there(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code == 404
    assert visitor.delete(path).status_code == 404


@pytest.mark.parametrize(("when", "charges"), [("before", 0), ("after", 1)])
def test_a_fault_on_the_page(
    client: stripe.StripeClient,
    visitor: httpx.Client,
    control: Callable[..., Any],
    when: str,
    charges: int,
) -> None:
    url = page_of(checkout(client))
    control("fault", operation="POST /checkout/{id}", when=when, how="error")
    broken = visitor.post(url, data=CARD)
    assert (broken.status_code, "Something went wrong" in broken.text) == (500, True)
    control("fault", operation="POST /checkout/{id}", when="before", how="drop")
    with pytest.raises(httpx.RemoteProtocolError):
        visitor.post(url, data=CARD)
    assert len(client.v1.charges.list().data) == charges
    assert visitor.post(url, data=CARD).status_code == 303
    assert len(client.v1.charges.list().data) == 1

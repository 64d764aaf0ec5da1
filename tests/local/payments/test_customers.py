"""Customers and their saved cards."""

import pytest
import stripe

from tests.local.payments.conftest import charge, customer


def test_create_retrieve_update(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create(
        {"email": "a@example.com", "metadata": {"tenant": "7", "plan": "free"}}
    )
    assert made.id.startswith("cus_")
    client.v1.customers.update(
        made.id,
        {"name": "Alice", "metadata": {"plan": "", "seat": "1"}, "address": {"country": "JP"}},
    )
    client.v1.customers.update(made.id, {"address": {"city": "Hakone"}})
    found = client.v1.customers.retrieve(made.id)
    assert (found.email, found.name) == ("a@example.com", "Alice")
    assert found.metadata is not None
    assert found.metadata.to_dict() == {"tenant": "7", "seat": "1"}
    assert found.address is not None
    assert (found.address.country, found.address.city) == ("JP", "Hakone")
    updated = [e.type for e in client.v1.events.list({"type": "customer.updated"}).data]
    assert updated == ["customer.updated"] * 2


def test_an_update_that_changes_nothing_is_no_event(client: stripe.StripeClient) -> None:
    made = customer(client)
    client.v1.customers.update(made.id, {"name": "Alice"})
    assert client.v1.events.list({"type": "customer.updated"}).data == []


def test_found_by_email(client: stripe.StripeClient) -> None:
    wanted = customer(client)
    client.v1.customers.create({"email": "bob@example.com"})
    found = client.v1.customers.list({"email": "alice@example.com"}).data
    assert [c.id for c in found] == [wanted.id]


def test_a_card_is_attached_listed_made_default_and_detached(client: stripe.StripeClient) -> None:
    alice, bob = customer(client), customer(client)
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": alice.id})
    assert card.id.startswith("pm_")
    assert card.card is not None
    assert (card.card.brand, card.card.last4) == ("visa", "4242")
    client.v1.customers.update(alice.id, {"invoice_settings": {"default_payment_method": card.id}})
    for listed in (
        client.v1.payment_methods.list({"customer": alice.id, "type": "card"}),
        client.v1.customers.payment_methods.list(alice.id),
    ):
        assert [method.id for method in listed.data] == [card.id]
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(card.id, {"customer": bob.id})
    with pytest.raises(stripe.InvalidRequestError, match="not attached to the customer"):
        client.v1.customers.update(
            bob.id, {"invoice_settings": {"default_payment_method": card.id}}
        )
    client.v1.payment_methods.detach(card.id)
    assert client.v1.payment_methods.list({"customer": alice.id}).data == []
    settings = client.v1.customers.retrieve(alice.id).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="impossible"):
        client.v1.payment_methods.detach(card.id)


def test_a_declined_card_cannot_be_attached(client: stripe.StripeClient) -> None:
    alice = customer(client)
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_methods.attach("pm_card_visa_chargeDeclined", {"customer": alice.id})
    assert caught.value.code == "card_declined"
    assert client.v1.payment_methods.list({"customer": alice.id}).data == []


def test_a_card_that_is_saved_but_cannot_be_charged(client: stripe.StripeClient) -> None:
    alice = customer(client)
    card = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": alice.id})
    with pytest.raises(stripe.CardError):
        charge(client, customer=alice.id, payment_method=card.id, off_session=True)


def test_a_used_card_that_was_not_saved_is_gone(client: stripe.StripeClient) -> None:
    used = charge(client).payment_method
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        charge(client, payment_method=used)


def test_another_customers_card_is_refused(client: stripe.StripeClient) -> None:
    alice, bob = customer(client), customer(client)
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": alice.id})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be used for"):
        charge(client, customer=bob.id, payment_method=card.id)
    with pytest.raises(stripe.InvalidRequestError, match="include the Customer"):
        charge(client, payment_method=card.id)


def test_a_deleted_customer_is_gone_with_the_cards_and_payments_stay(
    client: stripe.StripeClient,
) -> None:
    alice = customer(client)
    intent = charge(client, customer=alice.id)
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": alice.id})
    assert client.v1.customers.delete(alice.id).deleted is True
    assert client.v1.payment_methods.retrieve(card.id).customer is None
    for again in (client.v1.customers.delete, client.v1.customers.retrieve):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            again(alice.id)
        assert refused.value.code == "resource_missing"
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"

"""Stripe's customers: called as their tenants are, and reached where an owner is."""

from collections.abc import Callable
from unittest import mock

import pytest
from django.utils import timezone

from billing import payments
from billing.models import Currency, Customer
from billing.services.customers import customer_id, customers_follow
from tenants.models import Member, Role, User
from tenants.services import ownership_transfer, tenant_update
from tests.billing.conftest import SignUpCall, stripe_client
from tests.cast import Cast

Update = Callable[..., None]


@pytest.mark.django_db(transaction=True)
@pytest.mark.stripe
def test_stripe_is_told_of_another_owner_and_name_once(sign_up: SignUpCall, owner: User) -> None:
    tenant, now = sign_up("free").tenant, timezone.now()
    known = customer_id(tenant=tenant, currency=Currency.USD)
    assert customers_follow() == 0
    second = User.objects.create_user("second@example.org")
    member = Member.objects.create(tenant=tenant, user=second, role=Role.ADMIN, created_at=now)
    ownership_transfer(member=member, actor=owner, now=now)
    tenant_update(tenant=tenant, name="Alice & Co", actor=second, now=now)
    assert customers_follow() == 1
    customer = stripe_client().v1.customers.retrieve(known)
    assert (customer.name, customer.email) == ("Alice & Co", "second@example.org")
    assert customers_follow() == 0


@pytest.fixture
def customer(cast: Cast) -> Customer:
    """Alice's, whose address at Stripe is an old one."""
    return Customer.objects.create(
        tenant=cast.alice_corp, currency=Currency.USD, stripe_id="cus_1", name="Alice Corp",
        email="old@example.com",
    )  # fmt: skip


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch) -> mock.Mock:
    """What Stripe is told."""
    update = mock.Mock()
    monkeypatch.setattr(payments, "customer_update", update)
    return update


def told(stripe: mock.Mock) -> list[str]:
    return [call.kwargs["email"] for call in stripe.call_args_list]


@pytest.mark.django_db
def test_whoever_dies_before_noting_it_tells_it_again(
    customer: Customer, stripe: mock.Mock
) -> None:
    stripe.side_effect = [KeyboardInterrupt, None]
    with pytest.raises(KeyboardInterrupt):
        customers_follow()
    # Even where the old address is right again: Stripe may have the other one.
    User.objects.filter(email="alice@example.com").update(email="old@example.com")
    assert (customers_follow(), customers_follow()) == (1, 0)
    assert told(stripe) == ["alice@example.com", "old@example.com"]


@pytest.mark.django_db
def test_of_two_runs_that_say_different_things_nobody_knows_which_came_last(
    customer: Customer, stripe: mock.Mock
) -> None:
    def meanwhile(**_said: str) -> None:
        stripe.side_effect = None
        User.objects.filter(email="alice@example.com").update(email="new@example.com")
        assert customers_follow() == 1

    stripe.side_effect = meanwhile
    customers_follow()
    assert (customers_follow(), customers_follow()) == (1, 0)
    assert told(stripe) == ["alice@example.com", "new@example.com", "new@example.com"]


@pytest.mark.django_db
def test_one_that_fails_stops_no_other(customer: Customer, stripe: mock.Mock, cast: Cast) -> None:
    Customer.objects.create(
        tenant=cast.charlie_corp, currency=Currency.USD, stripe_id="cus_2", name="C", email="c@x.y"
    )
    stripe.side_effect = [payments.PaymentRefused("no such customer"), None, None]
    assert customers_follow() == 1
    assert customers_follow() == 1


@pytest.mark.django_db
def test_a_repeat_makes_a_customer_with_what_the_first_try_said(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stripe refuses another address under the same key for a day."""
    create = mock.Mock(side_effect=[payments.PaymentUnavailable("no answer"), "cus_1"])
    monkeypatch.setattr(payments, "customer_create", create)
    with pytest.raises(payments.PaymentUnavailable):
        customer_id(tenant=cast.alice_corp, currency=Currency.USD)
    User.objects.filter(pk=cast.alice.pk).update(email="new@example.com")
    assert customer_id(tenant=cast.alice_corp, currency=Currency.USD) == "cus_1"
    assert told(create) == ["alice@example.com"] * 2

"""The sweep of saved cards: what fails for one is left to the next run, and stops no other."""

from datetime import UTC, datetime
from unittest import mock

import pytest

from billing import payments
from billing.models import Currency, Customer, SavedCard
from billing.services import cards
from tenants.models import Mail, Tenant
from tenants.services import mail_members
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)
ONCE = [RuntimeError("boom"), mock.DEFAULT]


@pytest.fixture
def saved(cast: Cast) -> list[SavedCard]:
    """A card of each tenant's, which is charged and expires this month."""
    return [_save(tenant) for tenant in (cast.alice_corp, cast.charlie_corp)]


def _save(tenant: Tenant) -> SavedCard:
    name = f"pm_{tenant.pk}"
    customer = Customer.objects.create(tenant=tenant, currency=Currency.USD, payment_method_id=name)
    return SavedCard.objects.create(
        customer=customer, stripe_id=name, brand="visa", last_four="4242", exp_month=2,
        exp_year=2027, saved_at=NOW,
    )  # fmt: skip


def test_telling_that_one_expires(saved: list[SavedCard]) -> None:
    mailing = "billing.services.cards.mail_members"
    with mock.patch(mailing, wraps=mail_members, side_effect=ONCE):
        assert cards.cards_expiring_tell(now=NOW) == 1
    assert cards.cards_expiring_tell(now=NOW) == 2
    assert Mail.objects.count() == 2


def test_detaching_one(saved: list[SavedCard]) -> None:
    SavedCard.objects.update(removed_at=NOW)
    with mock.patch.object(payments, "card_detach", side_effect=ONCE):
        assert cards.cards_detach() == 1
    assert SavedCard.objects.get() == saved[0]

"""A card payment, the bank that takes it back, and what the books say then."""

import pytest

from billing import payments
from billing.models import Dispute, Payment
from billing.services.disputes import dispute_settle
from portal.local.payments.server import LocalPayments
from tenants.models import Tenant
from tests.billing.bank import Bank
from tests.billing.books import NOW, collected
from tests.billing.conftest import SignUpCall, subscribe

BEFORE = {"revenue": -36_77, "stripe": 36_77}
TAKEN = {"disputed": 30_00, "revenue": -36_77, "stripe": 6_77}
LOST = {"losses": 30_00, "revenue": -36_77, "stripe": 6_77}


@pytest.fixture
def tenant(sign_up: SignUpCall) -> Tenant:
    return subscribe(sign_up)


@pytest.fixture
def payment(tenant: Tenant) -> Payment:
    """A card payment of 30.00, beside the plan's 6.77."""
    return collected(tenant, 30_00)


@pytest.fixture
def bank(local_payments: LocalPayments) -> Bank:
    return Bank(local_payments)


def settle(dispute_id: str) -> Dispute | None:
    return dispute_settle(found=payments.dispute_get(dispute_id=dispute_id), now=NOW)

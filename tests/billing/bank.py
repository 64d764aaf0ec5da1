"""What the cardholder's bank, and ours, do at the local payments."""

from typing import Any

import httpx

from billing.models import Payment
from portal.local.payments.server import LocalPayments
from tests.billing.conftest import stripe_client


class Bank:
    """Decides by the local payments' controls."""

    def __init__(self, at: LocalPayments) -> None:
        self.address = f"{at.url}/_sekisho"

    def control(self, name: str, **what: object) -> Any:
        """Use one of the controls; return its answer."""
        answer = httpx.post(f"{self.address}/{name}", json=what)
        assert answer.is_success, answer.text
        return answer.json()

    def decide(self, object_id: str, outcome: str) -> None:
        self.control("outcome", id=object_id, outcome=outcome)

    def dispute(self, payment: Payment, reason: str = "fraudulent") -> str:
        """Dispute a payment; return the dispute's id."""
        client = stripe_client()
        intent = client.v1.payment_intents.retrieve(payment.payment_intent_id)
        self.decide(str(intent.latest_charge), reason)
        (dispute,) = client.v1.disputes.list({"payment_intent": payment.payment_intent_id}).data
        return dispute.id

"""The nightly look for disputes that no event told of."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import payments
from billing.models import Dispute, Payment, StripeList
from billing.payments import StripeDispute
from billing.services import missed_disputes
from billing.services.cursors import cursor_reached
from billing.services.disputes import dispute_settle
from billing.services.missed_disputes import disputes_fetch
from tests.billing.bank import Bank
from tests.billing.books import NOW, balances
from tests.billing.disputes.conftest import BEFORE, TAKEN

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_nightly_look_finds_what_no_event_told(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute_id = bank.dispute(payment)
    assert [one.id for one in disputes_fetch(now=NOW, dry_run=True).news] == [dispute_id]
    assert not Dispute.objects.exists()
    assert [one.id for one in disputes_fetch(now=NOW).news] == [dispute_id]
    assert balances() == TAKEN
    bank.decide(dispute_id, "won")
    # It is asked for although it was opened long before what is listed.
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter(()))
    assert [one.status for one in disputes_fetch(now=NOW).news] == ["won"]
    assert disputes_fetch(now=NOW).news == []
    assert balances() == BEFORE


def test_what_is_listed_is_looked_for_at_once(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = payments.dispute_get(dispute_id=bank.dispute(payment))
    dispute_settle(found=known, now=NOW)
    theirs = [replace(known, id=f"du_{at}", payment_intent_id=f"pi_{at}") for at in range(5)]
    ours = replace(known, id="du_ours")
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter([*theirs, ours, known]))
    with CaptureQueriesContext(connection) as asked:
        run = disputes_fetch(now=NOW, dry_run=True)
    assert run.news == [ours]
    assert len(asked) == 4  # how far it was read, what is noted, what is ours, what is not over


def test_one_that_cannot_be_fetched_stops_no_other(
    payment: Payment, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute_id = bank.dispute(payment)
    theirs = payments.dispute_get(dispute_id=dispute_id)
    gone = StripeDispute(**{**vars(theirs), "id": "du_gone", "withdrawn": 0})
    dispute_settle(found=gone, now=NOW)
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter((theirs,)))
    run = disputes_fetch(now=NOW)
    assert [one.id for one in run.news] == [dispute_id]
    assert set(run.failed) == {"du_gone"}
    assert cursor_reached(StripeList.DISPUTES) == NOW

    def failing(**_asked: object) -> None:
        raise OSError("No disk.")

    monkeypatch.setattr(missed_disputes, "dispute_settle", failing)
    newer = StripeDispute(**{**vars(theirs), "id": "du_new", "opened_at": NOW})
    monkeypatch.setattr(payments, "disputes_since", lambda **_asked: iter((newer,)))
    assert disputes_fetch(now=NOW + timedelta(days=2)).failed["du_new"] == "No disk."
    assert cursor_reached(StripeList.DISPUTES) == NOW  # it will be listed again

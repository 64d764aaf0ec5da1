"""VIES by machine, against a server that speaks its form: asked once, believed by the name."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from billing.models import TaxDetails, ViesCheck, ViesConfirmation, ViesOutcome
from billing.services import vies
from billing.services.taxes import tax_details_save, tax_rates_seed
from billing.services.vies import (
    ASK_AGAIN,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    vies_checks_due,
    vies_confirm,
)
from billing.tasks import vies_sweep
from billing.tax_tables import buyers_load
from billing.vies import check_vat_number
from tenants.models import AuditEntry, Tenant
from tests.cast import Cast
from tests.conftest import RunTasks
from tests.env import NOBODY

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
FRENCH, GREEK = "FR40303265045", "EL094259216"


class Vies:
    """What the server answers, and what it was asked: the bodies, in their order."""

    def __init__(self) -> None:
        self.answer: Any = valid("ALICE S.A.R.L")
        self.status = 200
        self.asked: list[dict[str, str]] = []


def valid(name: str, **more: str) -> dict[str, Any]:
    return {
        "countryCode": "FR", "vatNumber": "40303265045", "valid": True,
        "requestDate": "2026-12-01T06:00:00.000Z", "requestIdentifier": "WAPIAAAAZ1",
        "name": name, "address": "1 RUE A\n75001 PARIS", **more,
    }  # fmt: skip


def fault(code: str) -> dict[str, Any]:
    return {"actionSucceed": False, "errorWrappers": [{"error": code}]}


@pytest.fixture
def register(settings: Any) -> Iterator[Vies]:
    """VIES on a port of this machine, asked by an issuer in Germany."""
    known = Vies()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/rest-api/check-vat-number"
            known.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(known.answer).encode() if known.answer else b"<html>Sorry</html>"
            self.send_response(known.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        settings.VIES_API_BASE = f"http://127.0.0.1:{server.server_port}/rest-api"
        settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "DE", "DE136695976"
        yield known
        server.shutdown()
        thread.join()


def save(tenant: Tenant, country: str = "FR", tax_id: str = FRENCH, name: str = "Alice SARL",
         now: datetime = NOW) -> TaxDetails:  # fmt: skip
    details = TaxDetails.objects.filter(tenant=tenant).first() or TaxDetails(tenant=tenant)
    details.country, details.tax_id, details.legal_name = country, tax_id, name
    return tax_details_save(details=details, actor=None, now=now)


def check(tenant: Tenant, now: datetime = NOW) -> ViesCheck:
    """Do what the task does, and return what became of it."""
    vies.vies_check(check=ViesCheck.objects.get(tenant=tenant), now=now)
    return ViesCheck.objects.get(tenant=tenant)


def is_confirmed(tenant: Tenant) -> bool:
    return buyers_load(tenant_ids=[tenant.pk])[tenant.pk].is_confirmed


def test_a_confirmation_is_stored_as_an_operators_is(register: Vies, cast: Cast) -> None:
    save(cast.alice_corp)
    assert check(cast.alice_corp).outcome == ViesOutcome.CONFIRMED
    assert register.asked == [
        {"countryCode": "FR", "vatNumber": "40303265045", "traderName": "Alice SARL",
         "requesterMemberStateCode": "DE", "requesterNumber": "136695976"}
    ]  # fmt: skip
    row = ViesConfirmation.objects.get()
    assert (row.tax_id, row.name, row.request_id, row.confirmed_by, row.confirmed_at) == (
        FRENCH, "ALICE S.A.R.L", "WAPIAAAAZ1", None, NOW,
    )  # fmt: skip
    assert row.address == "1 RUE A\n75001 PARIS"
    assert is_confirmed(cast.alice_corp)


def test_greece_is_asked_by_its_own_prefix(register: Vies, cast: Cast) -> None:
    save(cast.alice_corp, "GR", GREEK)
    check(cast.alice_corp)
    assert (register.asked[0]["countryCode"], register.asked[0]["vatNumber"]) == (
        "EL", "094259216",
    )  # fmt: skip


def test_what_each_answer_comes_to(register: Vies, cast: Cast) -> None:
    wait, no = ViesOutcome.WAITING, ViesOutcome.UNKNOWN
    for status, answer, outcome, error in (
        (200, valid("---") | {"valid": False, "requestIdentifier": ""}, no, ""),
        (200, fault("INVALID_INPUT"), no, ""),
        (400, fault("INVALID_INPUT"), no, ""),
        (200, valid("BOB S.A.R.L"), ViesOutcome.OTHER_NAME, ""),
        (200, valid("---"), ViesOutcome.NO_NAME, ""),
        (200, valid("---", traderNameMatch="INVALID"), ViesOutcome.NO_NAME, ""),
        (200, valid("---", traderNameMatch="NOT_PROCESSED"), ViesOutcome.NO_NAME, ""),
        (200, fault("MS_UNAVAILABLE"), wait, "MS_UNAVAILABLE"),
        (500, fault("MS_MAX_CONCURRENT_REQ"), wait, "MS_MAX_CONCURRENT_REQ"),
        (200, fault("INVALID_REQUESTER_INFO"), wait, "INVALID_REQUESTER_INFO"),
        (503, None, wait, "HTTP 503"),
        (200, ["?"], wait, "not an object"),
        (200, valid("ALICE SARL") | {"requestIdentifier": ""}, wait, "no consultation number"),
    ):
        register.status, register.answer = status, answer
        save(cast.alice_corp)
        said = check(cast.alice_corp)
        assert (said.outcome, said.error) == (outcome, error), answer
        assert not is_confirmed(cast.alice_corp)
    register.status, register.answer = 200, valid("---", traderNameMatch="VALID")
    save(cast.alice_corp)
    assert check(cast.alice_corp).outcome == ViesOutcome.CONFIRMED
    assert is_confirmed(cast.alice_corp)


def test_what_could_not_be_asked_is_asked_later_and_ever_more_rarely(
    register: Vies, cast: Cast, settings: Any
) -> None:
    base, settings.VIES_API_BASE = settings.VIES_API_BASE, NOBODY
    save(cast.alice_corp)
    said, at = check(cast.alice_corp), NOW
    assert (said.error, said.due_at) == ("ConnectError", NOW + FIRST_PAUSE)
    assert vies_checks_due(now=said.due_at - timedelta(seconds=1)) == []
    for _ in range(10):
        (due,) = vies_checks_due(now=said.due_at)
        at, said = said.due_at, check(due.tenant, now=said.due_at)
    assert said.due_at - at == LONGEST_PAUSE
    settings.VIES_API_BASE = base
    said = check(cast.alice_corp, now=said.due_at)
    assert (said.outcome, said.error) == (ViesOutcome.CONFIRMED, "")
    assert vies_checks_due(now=said.due_at - timedelta(seconds=1)) == []


def test_what_it_confirmed_is_asked_again_and_counts_until_it_is_not_valid(
    register: Vies, cast: Cast
) -> None:
    tenant, later = cast.alice_corp, NOW + ASK_AGAIN
    save(tenant)
    check(tenant)
    assert vies_checks_due(now=later - timedelta(seconds=1)) == []
    vies_confirm(
        tenant=tenant, tax_id=FRENCH, name="Alice SARL", address="", request_id="W",
        actor=cast.alice, now=later,
    )  # fmt: skip
    save(tenant, now=later)  # an operator's answer is as good: asked again when that is old
    assert vies_checks_due(now=later) == []
    for answer, outcome in (
        (fault("MS_UNAVAILABLE"), ViesOutcome.WAITING),
        (valid("---"), ViesOutcome.CONFIRMED),
        (valid("OTHER SA"), ViesOutcome.OTHER_NAME),
    ):
        later += ASK_AGAIN
        register.answer = answer
        (due,) = vies_checks_due(now=later)
        assert check(due.tenant, now=later).outcome == outcome
        assert is_confirmed(tenant)
    later += ASK_AGAIN
    register.answer = {"valid": False}
    (due,) = vies_checks_due(now=later)
    assert check(due.tenant, now=later).outcome == ViesOutcome.UNKNOWN
    assert not is_confirmed(tenant)
    assert set(ViesConfirmation.objects.values_list("ended_at", flat=True)) == {later}
    assert AuditEntry.objects.filter(action="vies.ended", tenant=tenant).count() == 1
    vies_confirm(
        tenant=tenant, tax_id=FRENCH, name="Alice SARL", address="", request_id="W2",
        actor=cast.alice, now=later,
    )  # fmt: skip
    assert is_confirmed(tenant)


def test_two_tasks_ask_once(register: Vies, cast: Cast) -> None:
    save(cast.alice_corp)
    first, second = ViesCheck.objects.get(), ViesCheck.objects.get()
    for each in (first, second):
        vies.vies_check(check=each, now=NOW)
    assert len(register.asked) == ViesConfirmation.objects.count() == 1


def test_an_answer_about_what_was_changed_meanwhile_does_nothing(
    register: Vies, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_then_answer(**asked: str) -> Any:
        monkeypatch.undo()
        save(cast.alice_corp, tax_id="FR61954506077")
        return check_vat_number(**asked)

    save(cast.alice_corp)
    base = register.asked
    monkeypatch.setattr(vies, "check_vat_number", change_then_answer)
    late = ViesCheck.objects.get()
    vies.vies_check(check=late, now=NOW)
    assert len(base) == 1
    said = ViesCheck.objects.get()
    assert (said.tax_id, said.outcome) == ("FR61954506077", ViesOutcome.WAITING)
    assert not ViesConfirmation.objects.exists()
    vies.vies_check(check=late, now=NOW + LONGEST_PAUSE)  # a task of the old one, late
    assert len(base) == 1
    assert check(cast.alice_corp).outcome == ViesOutcome.CONFIRMED


def test_who_dies_before_noting_the_answer_asks_again(
    register: Vies, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    save(cast.alice_corp)
    with monkeypatch.context() as patch:
        patch.setattr(vies, "vies_confirm", die)
        with pytest.raises(KeyboardInterrupt):
            check(cast.alice_corp)
    (due,) = vies_checks_due(now=NOW + FIRST_PAUSE)
    assert check(due.tenant, now=NOW + FIRST_PAUSE).outcome == ViesOutcome.CONFIRMED
    assert (len(register.asked), ViesConfirmation.objects.count()) == (2, 1)


def test_only_what_makes_a_difference_is_asked(register: Vies, cast: Cast, settings: Any) -> None:
    tenant = cast.alice_corp
    for country, tax_id in (("DE", "DE136695976"), ("JP", "T5835678256246"), ("FR", "")):
        save(tenant)
        save(tenant, country, tax_id)
        assert not ViesCheck.objects.exists(), country
    vies_confirm(
        tenant=tenant, tax_id=FRENCH, name="Alice SARL", address="", request_id="W", actor=None,
        now=NOW,
    )  # fmt: skip
    save(tenant)
    assert ViesCheck.objects.get().outcome == ViesOutcome.CONFIRMED
    assert (vies_checks_due(now=NOW), register.asked) == ([], [])


def test_what_was_saved_while_it_was_off_is_asked_once_it_is_on(
    register: Vies, cast: Cast, settings: Any
) -> None:
    base, settings.VIES_API_BASE = settings.VIES_API_BASE, ""
    save(cast.alice_corp)
    save(cast.charlie_corp, "JP", "T5835678256246")
    assert (vies_checks_due(now=NOW), ViesCheck.objects.count()) == ([], 0)
    settings.VIES_API_BASE = base
    assert [due.tenant for due in vies_checks_due(now=NOW)] == [cast.alice_corp]


@pytest.mark.django_db(transaction=True)
def test_the_task_asks_once_it_is_saved_and_outside_of_any_transaction(
    run_tasks: RunTasks, register: Vies, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(**asked: str) -> Any:
        assert not connection.in_atomic_block
        return check_vat_number(**asked)

    monkeypatch.setattr(vies, "check_vat_number", watched)
    save(cast.alice_corp, now=timezone.now())
    assert run_tasks("default").count("billing.tasks.vies_check") == 1
    assert is_confirmed(cast.alice_corp)
    as_lost = {"outcome": ViesOutcome.WAITING, "due_at": timezone.now()}
    ViesCheck.objects.update(**as_lost)
    vies_sweep()
    assert run_tasks("default") == ["billing.tasks.vies_check"]
    assert len(register.asked) == 2


def test_an_issuer_outside_of_the_eu_does_not_ask(
    register: Vies, cast: Cast, settings: Any
) -> None:
    settings.ISSUER_COUNTRY, settings.ISSUER_TAX_ID = "JP", "T5835678256246"
    save(cast.alice_corp)
    assert (vies_checks_due(now=NOW), ViesCheck.objects.count()) == ([], 0)


def test_the_page_says_how_it_stands(register: Vies, cast: Cast, client: Client) -> None:
    tax_rates_seed()
    client.force_login(cast.alice)
    save(cast.alice_corp)

    def said() -> str:
        return client.get("/billing/details/").content.decode()

    assert "is being checked in VIES" in said()
    register.answer = fault("MS_UNAVAILABLE")
    check(cast.alice_corp)
    assert "could not be asked about your VAT number yet" in said()
    register.answer = valid("---")
    assert check(cast.alice_corp, now=NOW + FIRST_PAUSE).outcome == ViesOutcome.NO_NAME
    assert "does not tell whose it is" in said()
    for answer, words in (
        (fault("INVALID_INPUT"), "does not know this VAT number"),
        (valid("BOB"), "under another name"),
        (valid("ALICE SARL"), "VIES confirmed your VAT number on Dec. 1, 2026."),
    ):
        register.answer = answer
        save(cast.alice_corp)
        check(cast.alice_corp)
        assert words in said()
    assert "No VAT is added (reverse charge)" in said()

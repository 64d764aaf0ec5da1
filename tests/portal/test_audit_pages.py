"""The audit trail, as people read, filter and take it, and as programs do."""

import ast
import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from tenants import audit_words, services
from tenants.models import ActorKind, AuditEntry, HoldReason, Member, Role, User
from tenants.scopes import Scope
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast, client: Client) -> Client:
    assert client.login(email=cast.alice.email, password=PASSWORD)
    return client


@pytest.fixture
def history(cast: Cast) -> None:
    """What a member, an operator, a program, a guest and the portal itself did."""
    now = timezone.now()
    operator = User.objects.create_superuser("operator@example.com", PASSWORD)
    act: dict[str, Any] = {"tenant": cast.alice_corp, "now": now}
    services.hold_place(reason=HoldReason.OPERATOR, actor=operator, **act)
    services.hold_lift(reason=HoldReason.OPERATOR, actor=operator, **act)
    invitation = services.invitation_create(
        email="dan@example.com", role=Role.DEVELOPER, actor=cast.alice, **act
    )
    services.invitation_decline(invitation=invitation, now=now)
    services.audit_record(
        action="invoice.written_off", actor=operator, target="2026-000001", amount=2900,
        currency="USD", **act,
    )  # fmt: skip
    services.audit_record(action="upload.deleted", target="=lake.jpg", actor=cast.bob, **act)
    services.audit_record(action="uploads.expired", uploads=2, **act)
    services.audit_record(action="api_key.created", actor=cast.charlie, target="theirs", now=now,
        tenant=cast.charlie_corp)  # fmt: skip


def rows_of(client: Client, query: str = "") -> list[list[str]]:
    answer = client.get(f"/settings/audit.csv{query}")
    text = b"".join(answer).decode()
    return list(csv.reader(StringIO(text)))


def test_the_page_says_who_did_what(alice: Client, history: None) -> None:
    """Which operator it was, and where they sat, is the operators' own affair."""
    AuditEntry.objects.filter(actor_kind=ActorKind.OPERATOR).update(address="192.0.2.66")
    page = alice.get("/settings/audit/").content.decode()
    for words in ("All keys stopped", "Invitation declined", "dan@example.com", "invited person",
        "Automatic", "Operator", "$29.00", "Old files deleted", "bob@example.com"):  # fmt: skip
        assert words in page
    assert "operator@example.com" not in page
    assert "192.0.2.66" not in page + str(rows_of(alice))
    assert "charlie" not in page
    japanese = alice.get("/settings/audit/", headers={"accept-language": "ja"})
    assert "招待の辞退" in japanese.content.decode()


def test_it_is_filtered_and_taken_along(alice: Client, history: None) -> None:
    today = timezone.now().date().isoformat()
    header, *all_rows = rows_of(alice)
    assert header == ["at", "actor", "actor_kind", "action", "target", "address", "details"]
    assert len(all_rows) == AuditEntry.objects.filter(tenant__name="Alice Corp").count()

    def actions(query: str) -> set[str]:
        return {row[3] for row in rows_of(alice, query)[1:]}

    assert actions("?actor=operator") == {"hold.placed", "hold.lifted", "invoice.written_off"}
    assert actions("?actor=bob@example.com") == {"upload.deleted"}
    assert actions("?part=uploads&actor=system") == {"uploads.expired"}
    assert actions(f"?part=team&start={today}") == {"invitation.sent", "invitation.declined"}
    assert actions("?end=2020-01-01") == set()
    (deleted,) = (row for row in all_rows if row[3] == "upload.deleted")
    assert deleted[4] == "'=lake.jpg"  # no formula to a spreadsheet
    wrong = alice.get("/settings/audit/?start=2026-02-02&end=2026-01-01")
    assert wrong.status_code == 400
    assert "The end is before the start." in wrong.content.decode()
    assert alice.get("/settings/audit.csv?actor=nobody").status_code == 400
    empty = alice.get("/settings/audit/?end=2020-01-01").content.decode()
    assert "Nothing to show" in empty


def test_pages_follow_each_other_and_keep_the_filter(cast: Cast, alice: Client) -> None:
    for number in range(60):
        services.audit_record(
            action="api_key.updated", tenant=cast.alice_corp, actor=cast.alice,
            now=timezone.now(), target=f"key {number}",
        )  # fmt: skip
    first = alice.get("/settings/audit/?part=keys").content.decode()
    assert "key 59" in first
    assert "key 9<" not in first
    assert "?part=keys&amp;page=2" in first
    assert "key 9<" in alice.get("/settings/audit/?part=keys&page=2").content.decode()


def test_programs_read_it(cast: Cast, history: None) -> None:
    _token, value = services.api_token_create(
        tenant=cast.alice_corp, user=None, name="robot", scopes={Scope.AUDIT_READ}, days=1,
        actor=cast.alice, now=timezone.now(),
    )  # fmt: skip
    robot = Client(headers={"authorization": f"Bearer {value}"})
    answer = robot.get("/api/v1/audit/?limit=2&part=team")
    assert [entry["action"] for entry in answer.json()] == [
        "invitation.declined",
        "invitation.sent",
    ]
    assert answer.json()[0]["actor_kind"] == "guest"
    first = robot.get("/api/v1/audit/?limit=2")
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    assert robot.get(f"/api/v1/audit/{following}").json()[0] not in first.json()
    assert robot.get("/api/v1/audit/?part=weather").status_code == 400


def test_what_a_program_did_has_its_name(cast: Cast) -> None:
    _token, value = services.api_token_create(
        tenant=cast.alice_corp, user=None, name="robot", scopes={Scope.KEYS_WRITE}, days=1,
        actor=cast.alice, now=timezone.now(),
    )  # fmt: skip
    robot = Client(headers={"authorization": f"Bearer {value}"}, REMOTE_ADDR="192.0.2.1")
    assert robot.post("/api/v1/keys/", {"name": "made"}, "application/json").status_code == 201
    entry = AuditEntry.objects.get(action="api_key.created", target="made")
    assert (entry.actor_kind, entry.actor_name) == (ActorKind.TOKEN, "robot")
    assert entry.address == "192.0.2.1"


def test_whoever_left_stays_named_and_an_operator_who_is_a_member_too(cast: Cast) -> None:
    operator = User.objects.create_superuser("operator@example.com", PASSWORD)
    Member.objects.create(
        tenant=cast.alice_corp, user=operator, role=Role.ADMIN, created_at=timezone.now()
    )
    entry = services.audit_record(
        action="api_key.created", tenant=cast.alice_corp, actor=operator, now=timezone.now()
    )
    operator.delete()
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_name) == (None, "operator@example.com")
    assert entry.actor_kind == ActorKind.MEMBER


@pytest.mark.parametrize(
    ("proxies", "address"), [(0, "192.0.2.1"), (1, "198.51.100.7")], ids=["none", "one"]
)
def test_addresses_are_those_beyond_the_proxy(
    cast: Cast, client: Client, proxies: int, address: str
) -> None:
    """What somebody else wrote into the header, before the proxy did, is nobody's address."""
    assert client.login(email=cast.alice.email, password=PASSWORD)
    with override_settings(ALLAUTH_TRUSTED_PROXY_COUNT=proxies):
        client.post(
            "/keys/create/", {"name": "far"}, REMOTE_ADDR="192.0.2.1",
            headers={"x-forwarded-for": "203.0.113.9, 198.51.100.7"},
        )  # fmt: skip
    assert AuditEntry.objects.get(action="api_key.created", target="far").address == address


def test_every_act_has_words() -> None:
    """Those about a tenant, that is: what tenants never read has none."""
    base = Path(settings.BASE_DIR)
    paths = [path for app in ("tenants", "billing", "conversions", "portal")
        for path in (base / app).rglob("*.py") if "local" not in path.parts]  # fmt: skip
    named = {action for path in paths for action in _acts(ast.parse(path.read_text()))}
    assert len(named) > 50
    assert {each for each in named if audit_words.words_of(each) == each} == set()


def _acts(tree: ast.Module) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        given = {word.arg: word.value for word in call.keywords}
        tenant, action = given.get("tenant"), given.get("action")
        if action is None or isinstance(tenant, ast.Constant):
            continue
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == "audit_record":
            yield from (
                each.value
                for each in ast.walk(action)
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )

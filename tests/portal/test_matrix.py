"""Every address × every kind of visitor × every method, against the table in allowed.py.

The addresses come from the URLconf: one that no row names fails. Whatever a request changes is
rolled back, so that each finds the same cast.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

import billing.services
import tenants.services
from billing.models import Currency, SavedCard
from conversions import backend
from conversions.links import Link
from conversions.models import Conversion, ConversionState, Upload
from tenants import unsubscribing
from tenants.invitation_tokens import token_of
from tenants.models import ApiKey, ApiToken, Member, Role, Tenant, User, WebhookEndpoint
from tenants.scopes import Scope
from tenants.services import api_token_create, webhook_test_send
from tests.billing.books import issued
from tests.portal import allowed
from tests.portal.allowed import Visitor

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
TABLES = (
    allowed.PUBLIC,
    allowed.OWN,
    allowed.PAGES,
    allowed.THINGS,
    allowed.API,
    allowed.API_THINGS,
)

LOGINS = ("/accounts/login/", "/admin/login/")
FORBIDDEN = 403
AWAY = 503  # a page's way to say that the gateway, or the storage, cannot be reached: none is here
REFUSALS = {401: "unauthenticated", FORBIDDEN: "forbidden", 404: "not found", 405: "no such method"}


def _routes(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _routes(each, route)
        elif isinstance(each, URLPattern):
            yield route


@cache
def routes() -> tuple[str, ...]:
    """Return every route of the URLconf once."""
    return tuple(dict.fromkeys(_routes(get_resolver())))


def of(group: str | tuple[str, ...]) -> list[str]:
    """Return the routes of a group that others wrote, without those that have a row."""
    rows = {route for table in TABLES for route in table}
    return [route for route in routes() if route.startswith(group) and route not in rows]


def test_every_address_has_one_row_and_every_row_an_address() -> None:
    rows = [route for table in TABLES for route in table] + list(allowed.NOTHING)
    known = {*rows, *of((allowed.OPERATORS, *allowed.LIBRARIES))}
    missing = set(routes()) - known
    assert not missing, f"Say in tests/portal/allowed.py who may call {sorted(missing)}"
    assert len(rows) == len(set(rows)), "A route has two rows in tests/portal/allowed.py"
    gone = set(rows) - set(routes())
    assert not gone, f"No address is left for these rows of tests/portal/allowed.py: {sorted(gone)}"


Things = dict[str, Any]


@pytest.fixture(autouse=True)
def _without_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have S3's stack fail at once: nobody here waits for the third try."""
    failing = mock.Mock(side_effect=backend.BackendUnavailable("none is here"))
    monkeypatch.setattr(backend, "outputs", failing)


@pytest.fixture
def things(db: None) -> Things:
    """What addresses and forms name, all of it one tenant's: values by their names in routes."""
    now = timezone.now()
    billing.services.seed(now=now)
    tenant, _strangers = (
        billing.services.sign_up(
            user=User.objects.create_user(f"{name}@example.com"), organization=name,
            plan_code="free", currency=Currency.USD, now=now, language="en",
        ).tenant
        for name in (Visitor.OWNER, Visitor.STRANGER)
    )  # fmt: skip
    for role in (Visitor.ADMIN, Visitor.DEVELOPER, Visitor.BILLING):
        user = User.objects.create_user(f"{role}@example.com")
        Member.objects.create(tenant=tenant, user=user, role=role, created_at=now)
    User.objects.create_superuser(f"{Visitor.OPERATOR}@example.com")
    card = SavedCard.objects.create(
        customer=tenant.customer, stripe_id="pm_1", brand="visa", last_four="4242", exp_month=1,
        exp_year=2030, saved_at=now,
    )  # fmt: skip
    owner = tenant.members.get(role=Role.OWNER).user
    order = billing.services.extension_order(
        tenant=tenant,
        pack_code="extra-100",
        token="t",
        actor=owner,
        now=now,
    )
    upload = Upload.objects.create(
        tenant=tenant, filename="a.jpg", declared_size=1, bytes=1, created_at=now,
        public_id=uuid.uuid4(),
    )  # fmt: skip
    conversion = Conversion.objects.create(
        upload=upload, preset_code="thumb", preset_version=1, state=ConversionState.DONE, key="k"
    )
    endpoint = WebhookEndpoint.objects.create(
        tenant=tenant, url="https://hooks.example.com/", created_at=now
    )
    invitation = tenants.services.invitation_create(
        tenant=tenant, email="dave@example.com", role=Role.BILLING, actor=owner, now=now
    )
    alert = tenants.services.alert_raise(
        tenant=tenant, kind="unusual_usage", key="unusual", now=now,
        data={"day": "2026-11-26", "used": 4120, "expected": 980},
    )  # fmt: skip
    return {
        "alert_id": alert.uuid if alert else None,
        "invitation_id": invitation.uuid,
        "invitation_token": token_of(invitation_uuid=invitation.uuid, sendings=1),
        "unsubscribe_token": unsubscribing.token_of(member_id=tenant.members.get(user=owner).pk),
        "member_id": tenant.members.get(role=Role.DEVELOPER).pk,
        "endpoint_id": endpoint.uuid,
        "delivery_id": webhook_test_send(endpoint=endpoint, actor=owner, now=now).uuid,
        "key_id": ApiKey.objects.get(tenant=tenant).uuid,
        "token_id": machines_token(tenant, now=now).uuid,
        "order_uuid": order.uuid,
        "order_id": order.uuid,
        "number": issued(tenant, 30_00, now=now).number,
        "card_id": card.pk,
        "upload_id": upload.uuid,
        "conversion_id": conversion.pk,
        "public_id": upload.public_id,
        "preset_code": "thumb",
        "token": Link(upload.uuid, "thumb", 1, now + timedelta(hours=1)).sign(),
        "code": "starter",
        "forms": {
            "uploads/delete/": {"upload": upload.uuid},
            "uploads/restore/": {"upload": upload.uuid},
            "uploads/<uuid:upload_id>/links/": {"lifetime": "hour"},
            "tenants/switch/": {"tenant": tenant.uuid},
        },
    }


def machines_token(tenant: Tenant, *, now: datetime) -> ApiToken:
    owner = tenant.members.get(role=Role.OWNER).user
    token, _value = api_token_create(
        tenant=tenant, user=None, name="machine", scopes={Scope.KEYS_READ}, days=1, actor=owner,
        now=now,
    )  # fmt: skip
    return token


def browser_of(visitor: Visitor) -> Client:
    """Return the visitor's browser, signed in."""
    client = Client(raise_request_exception=False)
    if visitor is not Visitor.ANONYMOUS:
        client.force_login(User.objects.get(email=f"{visitor}@example.com"))
    return client


def call(browser: Client, method: str, route: str, things: Things) -> HttpResponseBase:
    """Call an address; afterwards nothing has happened, and the browser is as it was."""
    form = things["forms"].get(route, {}) if method == "POST" else {}
    cookies = copy(browser.cookies)
    with transaction.atomic():
        if method == "POST":
            answer = browser.post(address(route, things), form)
        else:
            answer = browser.generic(method, address(route, things))
        if answer.streaming:
            with suppress(backend.BackendUnavailable):
                answer.getvalue()  # to its end: until then an archive keeps others from theirs
        transaction.set_rollback(True)
    browser.cookies = cookies
    return answer


def address(route: str, things: Things) -> str:
    """Fill a route in; what has no value here, as in others' routes, becomes "x"."""
    plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route).replace(".*", "x").strip("^$")
    filled = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: str(things.get(name[1], "x")), plain)
    return "/" + filled.replace("^", "").replace("$", "")


def outcome(answer: HttpResponseBase) -> str:
    """Say in a word how a request ended."""
    if answer.status_code == 302 and answer.headers["Location"].startswith(LOGINS):
        return "to log in"
    if answer.status_code >= 500 and answer.status_code != AWAY:
        return "broken"
    return REFUSALS.get(answer.status_code, "allowed")


def expected(visitor: Visitor, method: str, route: str) -> str:
    """Say how a request must end, by the table."""
    is_head = method == "HEAD" and route not in allowed.WITHOUT_HEAD
    asked = "GET" if is_head else method
    if route in allowed.PUBLIC:
        return "allowed" if asked in allowed.PUBLIC[route] else "no such method"
    is_api = route in allowed.API or route in allowed.API_THINGS
    row = next(table[route] for table in TABLES[1:] if route in table)
    if is_api and visitor is Visitor.ANONYMOUS:
        return "unauthenticated"
    if asked not in row:
        return "allowed" if is_api and method == "OPTIONS" else "no such method"
    return "to log in" if visitor is Visitor.ANONYMOUS else expected_of(visitor, asked, route, row)


def expected_of(visitor: Visitor, asked: str, route: str, row: Any) -> str:
    """Say how a method that there is must end for somebody who is signed in."""
    if route in allowed.OWN:
        return "allowed"
    names_a_thing = route in allowed.THINGS or route in allowed.API_THINGS
    if visitor is Visitor.OPERATOR or (visitor is Visitor.STRANGER and names_a_thing):
        return "not found"
    return "allowed" if visitor is Visitor.STRANGER or visitor in row[asked] else "forbidden"


@pytest.mark.parametrize("visitor", Visitor)
def test_everybody_gets_what_the_table_says(visitor: Visitor, things: Things) -> None:
    browser = browser_of(visitor)
    wrong = []
    for route in (route for table in TABLES for route in table):
        for method in METHODS:
            told = expected(visitor, method, route)
            if method == "HEAD" and told == "allowed" and visitor is not Visitor.OWNER:
                continue  # as GET, which has been looked at; pages take a while to make
            got = outcome(call(browser, method, route, things))
            if got != told:
                wrong.append(f"{method} {route}: {got}, not {told}")
    assert not wrong, "\n".join(wrong)
    nothing = {
        outcome(call(browser, method, route, things))
        for method in METHODS
        for route in allowed.NOTHING
    }
    assert nothing == {"unauthenticated" if visitor is Visitor.ANONYMOUS else "not found"}


@pytest.mark.parametrize("visitor", [Visitor.ANONYMOUS, Visitor.OWNER])
def test_nobody_but_operators_gets_into_the_admin(visitor: Visitor, things: Things) -> None:
    """It asks whether a user is an operator, and knows nothing of roles."""
    browser = browser_of(visitor)
    entered = {
        route
        for route in of(allowed.OPERATORS)
        for method in ("GET", "POST")
        if outcome(call(browser, method, route, things))
        not in {"to log in", "not found", "forbidden"}
    }
    assert entered == {"admin/logout/"}


@pytest.mark.parametrize("visitor", [Visitor.ANONYMOUS, Visitor.OWNER])
def test_what_libraries_answer_is_never_an_error(visitor: Visitor, things: Things) -> None:
    browser = browser_of(visitor)
    broken = [
        (method, route)
        for route in of(allowed.LIBRARIES)
        for method in METHODS
        if outcome(call(browser, method, route, things)) == "broken"
    ]
    assert broken == []


def test_no_form_is_taken_from_another_site(things: Things) -> None:
    """But for Stripe's and mail programs', which have no cookies, and bring what is signed."""
    browser = browser_of(Visitor.OWNER)
    browser.handler.enforce_csrf_checks = True
    rows = {route for table in TABLES for route, row in table.items() if "POST" in row}
    taken = {
        route for route in rows if call(browser, "POST", route, things).status_code != FORBIDDEN
    }
    assert taken == {"webhooks/stripe/", "alerts/unsubscribe/<str:unsubscribe_token>/"}

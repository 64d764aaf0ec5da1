"""Sign-up by the form, on good days and on bad ones."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

import billing.services
from billing.models import Order, PriceVersion, Subscription
from portal.celery import app as celery_app
from portal.forms import SignupForm
from portal.local.aws.server import LocalAWS
from tenants.models import ApiKeyVersion, Tenant, User, VersionStatus
from tenants.services import reconcile
from tests.conftest import RunTasks
from tests.env import NOBODY

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "barrier-station-53"


@pytest.fixture(autouse=True)
def shop(transactional_db: None, valkey: str) -> None:
    billing.services.seed(now=timezone.now())


def sign_up(client: Client, **more: str) -> Any:
    form = {
        "email": "alice@example.org",
        "password1": PASSWORD,
        "password2": PASSWORD,
        "organization": "Alice Corp",
        "plan": "free",
    }
    return client.post("/accounts/signup/", {**form, **more})


class TestGood:
    def test_the_key_is_active_after_the_workers_ran(
        self, client: Client, gateway_api: str, run_tasks: RunTasks
    ) -> None:
        response = sign_up(client)
        assert response.status_code == 302
        assert response["Location"] == "/dashboard/"
        run_tasks("gateway_urgent", "gateway")
        assert ApiKeyVersion.objects.get().status == VersionStatus.ACTIVE
        page = client.get("/dashboard/").content.decode()
        assert 'data-testid="api-key-value"' in page
        assert 'data-testid="api-key-value"' not in client.get("/dashboard/").content.decode()
        assert len(mail.outbox) == 1

    def test_a_paid_plan_goes_to_checkout(self, client: Client) -> None:
        response = sign_up(client, plan="starter", currency="JPY")
        order = Order.objects.get()
        assert response["Location"] == f"/billing/checkout/{order.uuid}/"
        assert order.currency == "JPY"
        assert Tenant.objects.get().usage_plan.code == "free"

    def test_a_name_that_is_taken_is_free_again(self, client: Client) -> None:
        sign_up(client)
        sign_up(Client(), email="bob@example.org")
        assert Tenant.objects.filter(name="Alice Corp").count() == 2


class TestBadInput:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "no-address"),
            ("password2", "something else"),
            ("organization", "   "),
            ("organization", ""),
            ("organization", "x" * 121),
            ("plan", "gold"),
            ("plan", ""),
            ("currency", "EUR"),
        ],
    )
    def test_is_told_and_writes_nothing(self, client: Client, field: str, value: str) -> None:
        response = sign_up(client, **{field: value})
        assert response.status_code == 200
        form = response.context["form"]
        assert field in form.errors
        assert not User.objects.exists()
        assert not Tenant.objects.exists()

    def test_a_plan_that_is_not_sold_in_the_currency_is_told(self, client: Client) -> None:
        PriceVersion.objects.filter(plan__code="free", currency="JPY").delete()
        response = sign_up(client, currency="JPY")
        assert "has no price in “JPY”" in str(response.context["form"].errors["currency"])
        assert not User.objects.exists()

    def test_a_doubled_submission_makes_one_tenant(self, client: Client) -> None:
        sign_up(client)
        sign_up(Client())
        assert Tenant.objects.count() == 1
        assert User.objects.count() == 1
        assert Subscription.objects.count() == 1

    def test_two_at_once_make_one_tenant_and_the_second_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both_valid = threading.Barrier(2)
        save = SignupForm.save

        def save_together(form: SignupForm, request: HttpRequest) -> User:
            both_valid.wait(timeout=20)
            return save(form, request)

        monkeypatch.setattr(SignupForm, "save", save_together)

        def clicked(_click: int) -> Any:
            try:
                return sign_up(Client())
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            told, done = sorted(pool.map(clicked, range(2)), key=lambda each: each.status_code)
        assert (told.status_code, done.status_code) == (200, 302)
        assert "already registered" in told.content.decode()
        assert (User.objects.count(), Tenant.objects.count()) == (1, 1)


def test_of_two_hundred_at_once_none_is_lost_and_none_doubled(
    gateway_api: str, run_tasks: RunTasks
) -> None:
    """As many at a time as a server has threads; every tenth clicks twice."""

    def signed_up(number: int) -> int:
        # From one address the portal takes 20 a minute.
        client = Client(REMOTE_ADDR=f"198.18.0.{number}")
        try:
            answer = sign_up(client, email=f"{number}@example.org", organization=f"Corp {number}")
            return int(answer.status_code)
        finally:
            connection.close()

    clicks = [*range(200), *range(0, 200, 10)]
    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(signed_up, sorted(clicks)))
    assert answers == {302: 200, 200: 20}
    run_tasks("gateway_urgent", "gateway")
    for model in (User, Subscription, ApiKeyVersion):
        assert model.objects.count() == 200
    assert Tenant.objects.values("name").distinct().count() == 200
    assert set(ApiKeyVersion.objects.values_list("status", flat=True)) == {VersionStatus.ACTIVE}
    asked = boto3.client(
        "apigateway", endpoint_url=settings.AWS_ENDPOINT_URL, region_name=settings.AWS_REGION
    ).get_paginator("get_api_keys")
    found = [key for page in asked.paginate() for key in page["items"]]
    known = set(ApiKeyVersion.objects.values_list("gateway_id", flat=True))
    assert sum(key["enabled"] for key in found if key["id"] in known) == len(known) == 200


class TestBadDays:
    @pytest.fixture
    def broker_away(self, valkey: str) -> Iterator[None]:
        celery_app.close()
        celery_app.conf.update(broker_url="redis://127.0.0.1:9/0")
        yield
        celery_app.close()
        celery_app.conf.update(broker_url=valkey)

    def test_without_a_broker_sign_up_succeeds_and_the_key_follows(
        self, client: Client, broker_away: None, gateway_api: str
    ) -> None:
        assert sign_up(client).status_code == 302
        page = client.get("/dashboard/")
        assert page.context["key"]["state"] == VersionStatus.PENDING
        # The sweep, once there is a broker again:
        (tenant_id,) = reconcile.tenants_due(now=timezone.now())
        reconcile.tenant_reconcile(tenant_id=tenant_id, clock=timezone.now)
        assert ApiKeyVersion.objects.get().status == VersionStatus.ACTIVE

    def test_without_a_gateway_sign_up_succeeds_and_the_key_follows(
        self, client: Client, local_aws: LocalAWS, gateway_api: str, settings: Any
    ) -> None:
        sign_up(client)
        (tenant_id,) = reconcile.tenants_due(now=timezone.now())
        settings.AWS_ENDPOINT_URL = NOBODY
        reconcile.tenant_reconcile(tenant_id=tenant_id, clock=timezone.now)
        tenant = Tenant.objects.get()
        assert "Could not connect" in tenant.reconcile_error
        assert tenant.reconcile_at is not None
        assert client.get("/dashboard/").context["key"]["state"] == VersionStatus.PENDING
        settings.AWS_ENDPOINT_URL = local_aws.url
        reconcile.tenant_reconcile(tenant_id=tenant_id, clock=timezone.now)
        assert ApiKeyVersion.objects.get().status == VersionStatus.ACTIVE

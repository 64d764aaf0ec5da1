"""A tenant's export: all that it has, whole or named, and nobody else's."""

import csv
import io
import json
import tracemalloc

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import billing.services
from billing.models import Currency
from portal.export import README, export
from tenants.export import harmless
from tenants.models import Alert, AuditEntry, Tenant, User
from tests.billing.books import issued
from tests.cast import Cast
from tests.conversions.archives import sent, unpacked
from tests.conversions.storage import put
from tests.conversions.uploads import an_upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant(stack: str) -> Tenant:
    """A tenant that has signed up, and has an invoice and two uploads, of which one is gone."""
    now = timezone.now()
    billing.services.seed(now=now)
    user = User.objects.create_user("owner@example.org")
    tenant = billing.services.sign_up(
        user=user, organization="=Alice Corp", plan_code="free", currency=Currency.USD, now=now,
        language="en",
    ).tenant  # fmt: skip
    issued(tenant, 30_00, now=now)
    Alert.objects.create(tenant=tenant, kind="quota", key="k", raised_at=now)
    for filename in ("湖.jpg", "gone.jpg"):
        upload = an_upload(tenant, filename=filename, bytes=3, created_by=user)
        if filename != "gone.jpg":
            put(upload.source_key, b"abc")
    return tenant


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_an_owner_takes_all_along(tenant: Tenant) -> None:
    browser = Client()
    browser.force_login(tenant.members.get().user)
    answer = browser.post(reverse("export"))
    assert answer["Content-Type"] == "application/zip"
    found = sent(answer)
    assert json.loads(found["organisation.json"])["id"] == str(tenant.uuid)
    assert rows(found["members.csv"])[0]["email"] == "owner@example.org"
    key = rows(found["keys.csv"])[0]
    version = tenant.api_keys.get().versions.get()
    assert (key["name"], key["last_four"]) == ("default", version.last_four)
    invoice = tenant.invoices.get()
    assert rows(found["billing/invoices.csv"])[0]["number"] == invoice.number
    assert found[f"billing/invoices/{invoice.number}.pdf"].startswith(b"%PDF")
    assert {row["filename"] for row in rows(found["uploads.csv"])} == {"湖.jpg", "gone.jpg"}
    assert rows(found["alerts.csv"])[0]["kind"] == "quota"
    assert found["uploads/湖.jpg"] == b"abc"
    assert "uploads/gone.jpg" not in found
    readme = found[README].decode()
    assert "uploads/gone.jpg\n    It is not kept any more." in readme
    assert all(name in readme for name in found if "/" not in name and name != README)
    assert AuditEntry.objects.filter(tenant=tenant, action="tenant.exported").exists()
    actions = {row["action"] for row in rows(found["audit.csv"])}
    assert {"tenant.created", "tenant.exported"} <= actions


def test_a_storage_that_is_away_is_told_and_breaks_nothing(
    tenant: Tenant, storage_away: None
) -> None:
    found = unpacked(export(tenant=tenant, language="en"))
    assert "uploads/湖.jpg\n    The storage could not be reached." in found[README].decode()
    assert rows(found["members.csv"])


def test_memory_stays_flat(stack: str, cast: Cast) -> None:
    """But for what it takes to print a PDF, which is the same for each."""
    for _number in range(2):
        put(an_upload(cast.alice_corp, bytes=18_000_000).source_key, bytes(18_000_000))
    tracemalloc.start()
    length = sum(map(len, export(tenant=cast.alice_corp, language="en")))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 36_000_000
    assert peak < 6_000_000


def test_a_formula_stays_text() -> None:
    assert harmless("=1+1") == "'=1+1"

"""Who calls the management API: members by session, keys through the gateway, nobody else."""

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from tenants.models import ApiKey, ApiKeyVersion, AuditEntry, Tenant, VersionStatus
from tests.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db


def through_the_gateway(key_id: str, secret: str | None = None) -> Client:
    headers = {"X-Sekisho-Key-Id": key_id, "X-Sekisho-Gateway": secret or settings.GATEWAY_SECRET}
    return Client(headers=headers)


def known(tenant: Tenant, gateway_id: str) -> ApiKeyVersion:
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    version.gateway_id, version.status = gateway_id, VersionStatus.ACTIVE
    version.save()
    return version


def test_a_key_reads_its_own_tenants_things(cast: Cast) -> None:
    mine, theirs = known(cast.alice_corp, "key-a"), known(cast.charlie_corp, "key-c")
    keys = through_the_gateway("key-a").get("/api/v1/keys/").json()
    assert [key["last_four"] for key in keys] == [mine.last_four]
    assert through_the_gateway("key-a").get("/api/v1/usage/").json()["limit"] == 100
    stranger = {"key": str(theirs.api_key.uuid)}
    assert through_the_gateway("key-a").get("/api/v1/usage/", stranger).status_code == 404


def test_pages_of_any_origin_read_what_a_key_reads_and_no_session(cast: Cast) -> None:
    known(cast.alice_corp, "key-a")
    for address in ("/api/v1/keys/", "/api/v1/none/"):
        answer = through_the_gateway("key-a").get(address)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    alice = Client()
    alice.login(username="alice@example.com", password=PASSWORD)
    assert "Access-Control-Allow-Origin" not in alice.get("/api/v1/keys/").headers
    # So a key, which may be in such a page, reads nobody's mail address.
    ApiKey.objects.update(created_by=cast.alice)
    assert alice.get("/api/v1/keys/").json()[0]["created_by"] == "alice@example.com"
    assert through_the_gateway("key-a").get("/api/v1/keys/").json()[0]["created_by"] is None


@pytest.mark.parametrize("secret", [None, "guessed"])
@pytest.mark.parametrize("accepts", ["text/html", "application/xml"])
def test_who_takes_no_json_is_refused_whoever_calls(
    cast: Cast, secret: str | None, accepts: str
) -> None:
    known(cast.alice_corp, "key-a")
    caller = through_the_gateway("key-a", secret)
    for address in ("/api/v1/keys/", "/api/v1/invoices/", "/api/v1/none/"):
        assert caller.get(address, headers={"Accept": accepts}).status_code == 406
        assert caller.get(f"{address}?format=xml").status_code == 404


def test_a_key_changes_nothing(cast: Cast) -> None:
    version = known(cast.alice_corp, "key-a")
    caller = through_the_gateway("key-a")
    made = caller.post("/api/v1/keys/", {"name": "more"})
    revoked = caller.post(f"/api/v1/keys/{version.api_key.uuid}/revoke/")
    assert (made.status_code, revoked.status_code) == (403, 403)
    assert ApiKey.objects.filter(tenant=cast.alice_corp, revoked_at=None).count() == 1


@pytest.mark.parametrize("secret", ["guessed", "", "ゲート"])
def test_a_forged_header_is_refused(cast: Cast, secret: str) -> None:
    known(cast.alice_corp, "key-a")
    headers = {"X-Sekisho-Key-Id": "key-a", "X-Sekisho-Gateway": secret}
    assert Client().get("/api/v1/keys/", headers=headers).status_code == 401
    assert Client().get("/api/v1/keys/", headers={"X-Sekisho-Key-Id": "key-a"}).status_code == 401
    assert Client().get("/api/v1/keys/").status_code == 401


@override_settings(GATEWAY_SECRET="")
def test_an_empty_secret_opens_nothing(cast: Cast) -> None:
    known(cast.alice_corp, "key-a")
    for secret in ({}, {"X-Sekisho-Gateway": ""}):
        headers = {"X-Sekisho-Key-Id": "key-a", **secret}
        assert Client().get("/api/v1/keys/", headers=headers).status_code == 401


def test_a_session_does_not_make_up_for_a_forged_header(cast: Cast) -> None:
    alice = Client(headers={"X-Sekisho-Key-Id": "key-c", "X-Sekisho-Gateway": "guessed"})
    assert alice.login(username="alice@example.com", password=PASSWORD)
    assert alice.get("/api/v1/keys/").status_code == 401


@pytest.mark.parametrize("status", [VersionStatus.REVOKED, VersionStatus.PENDING])
def test_a_key_that_is_not_in_use_is_nobodys(cast: Cast, status: VersionStatus) -> None:
    version = known(cast.alice_corp, "key-a")
    ApiKeyVersion.objects.filter(pk=version.pk).update(status=status, revoked_at=timezone.now())
    assert through_the_gateway("key-a").get("/api/v1/keys/").status_code == 401
    assert through_the_gateway("").get("/api/v1/keys/").status_code == 401


def test_the_gateways_headers_open_the_management_api_alone(cast: Cast) -> None:
    known(cast.alice_corp, "key-a")
    assert through_the_gateway("key-a").get("/dashboard/").status_code == 302
    assert through_the_gateway("key-a").get("/admin/").status_code == 302


def test_there_is_nothing_elsewhere_in_json(cast: Cast) -> None:
    known(cast.alice_corp, "key-a")
    answer = through_the_gateway("key-a").post("/api/v1/none/such/")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "There is nothing at this address. All end with a slash.",
    )
    assert Client().get("/api/v1/none/").status_code == 401


def test_a_key_that_failed_is_tried_again(cast: Cast) -> None:
    alice = Client()
    alice.force_login(cast.alice)
    key = ApiKey.objects.get(tenant=cast.alice_corp)
    versions = ApiKeyVersion.objects.filter(api_key=key)
    address = f"/api/v1/keys/{key.uuid}/retry/"
    for before, after in (("failed", "pending"), ("active", "active")):
        versions.update(status=before)
        assert alice.post(address).json()["status"] == after
    assert AuditEntry.objects.filter(action="api_key.retried").count() == 1

"""The references: what their documents say, who sees which keys, and what the pages may load."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client, override_settings
from django.utils import timezone

from conversions import reference, samples
from tenants.models import ApiKey, Member, Role, VersionStatus
from tenants.services import api_key_create, api_key_revoke
from tests.cast import Cast
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db
GATEWAY = "https://gate.example:8443"


class TestDocument:
    def test_it_says_where_the_api_is(self, client: Client) -> None:
        with override_settings(API_BASE_URL=f"{GATEWAY}/live"):
            answer = client.get("/docs/openapi.json")
        assert answer["Content-Type"] == "application/json"
        document = answer.json()
        assert document.pop("servers") == [{"url": f"{GATEWAY}/live"}]
        assert document == reference.document()
        assert document["openapi"].startswith("3.1")

    def test_before_the_first_deployment_it_names_no_server(self, client: Client) -> None:
        with override_settings(API_BASE_URL=""):
            assert client.get("/docs/openapi.json").json()["servers"] == []
            assert "has not been deployed" in client.get("/docs/").content.decode()

    def test_it_is_sent_again_only_once_it_says_something_else(self, client: Client) -> None:
        first = client.get("/docs/openapi.json")
        again = client.get("/docs/openapi.json", headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        with override_settings(API_BASE_URL=GATEWAY):
            moved = client.get("/docs/openapi.json", headers={"If-None-Match": first["ETag"]})
        assert (moved.status_code, moved["ETag"] == first["ETag"]) == (200, False)


class TestPage:
    def test_scripts_may_call_the_gateway_from_this_page_alone(
        self, cast: Cast, client: Client
    ) -> None:
        with override_settings(API_BASE_URL=f"{GATEWAY}/live"):
            policy = client.get("/docs/")["Content-Security-Policy"]
            others = [client.get(page) for page in ("/api/docs/", "/plans/", "/accounts/login/")]
        connect = next(part for part in policy.split("; ") if part.startswith("connect-src "))
        assert GATEWAY in connect.split()
        assert "unsafe" not in policy
        assert all(GATEWAY not in other["Content-Security-Policy"] for other in others)

    def test_every_operation_has_its_samples(self, client: Client) -> None:
        with override_settings(API_BASE_URL=f"{GATEWAY}/live"):
            text = client.get("/docs/").content.decode()
        for operation in samples.operations():
            for language in samples.LANGUAGES:
                assert f'<code id="{operation}-{language.code}">' in text
        assert f"{GATEWAY}/live/v1/uploads" in text
        assert samples.BASE_URL not in text

    def test_a_visitor_may_paste_a_key_or_get_one(self, client: Client) -> None:
        text = client.get("/docs/").content.decode()
        assert 'id="key-value"' in text
        assert 'id="key-choice"' not in text
        assert "/accounts/signup/" in text

    def test_a_member_chooses_among_the_tenants_living_keys(self, cast: Cast) -> None:
        now = timezone.now()
        tenant = cast.alice_corp
        for name in ("old", "new"):
            api_key_create(tenant=tenant, name=name, actor=cast.alice, now=now)
        api_key_revoke(
            api_key=ApiKey.objects.get(tenant=tenant, name="old"), actor=cast.alice, now=now
        )
        answer = signed_in(cast.bob).get("/docs/")
        assert [key["name"] for key in answer.context["keys"]] == ["default", "new"]
        assert {key["state_label"] for key in answer.context["keys"]} == {
            VersionStatus.PENDING.label
        }

    def test_no_visit_reveals_a_value(self, cast: Cast) -> None:
        alice = signed_in(cast.alice)
        assert re.search(r"sks[a-z2-7]{52}", alice.get("/docs/").content.decode()) is None
        assert re.fullmatch(r"sks[a-z2-7]{52}", alice.get("/dashboard/").context["key_value"])

    def test_who_may_not_handle_keys_is_not_offered_one(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).update(role=Role.BILLING)
        assert 'id="key-create"' not in signed_in(cast.bob).get("/docs/").content.decode()
        assert 'id="key-create"' in signed_in(cast.alice).get("/docs/").content.decode()

    def test_who_belongs_to_nobody_may_read(self, cast: Cast) -> None:
        Member.objects.filter(user=cast.bob).delete()
        assert signed_in(cast.bob).get("/docs/").status_code == 200


def test_the_management_api_has_a_page(client: Client) -> None:
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    schema = json.loads(client.get("/api/schema/", headers={"Accept": "application/json"}).content)
    assert "/api/v1/keys/" in schema["paths"]
    operations = [each for path in schema["paths"].values() for each in path.values()]
    summaries = {each.get("summary") for each in operations}
    assert None not in summaries
    assert len(summaries) == len(operations)


def test_swagger_ui_is_served_by_ourselves() -> None:
    scripts = Path(settings.BASE_DIR, "templates/portal/partials/reference_scripts.html")
    bundle = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
    assert bundle in scripts.read_text(encoding="utf-8")
    assert finders.find(bundle)

"""Pages of one organisation, sent after another one was chosen, or was all that is left."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tenants.links import whose
from tenants.models import ApiKey, Member, Role
from tests.cast import PASSWORD, Cast
from tests.sessions import signed_in, signed_in_long_ago

pytestmark = pytest.mark.django_db

POLL = {"HX-Request": "true"}


@pytest.fixture
def both(cast: Cast) -> Cast:
    """Alice, who is in Charlie's organisation as well as in her own, with room for keys there."""
    Member.objects.create(
        tenant=cast.charlie_corp, user=cast.alice, role=Role.ADMIN, created_at=timezone.now()
    )
    cast.charlie_corp.usage_plan.most_keys = 5
    cast.charlie_corp.usage_plan.save()
    return cast


def told(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_page_changes_and_shows_only_the_organisation_that_it_was_made_for(both: Cast) -> None:
    browser, mine = signed_in(both.alice), str(both.alice_corp.uuid)
    page = told(browser.get("/keys/"))
    assert f'data-page-of="{mine}"' in page
    assert f'"x-page-of": "{mine}"' in page
    browser.post("/tenants/switch/", {"tenant": both.charlie_corp.uuid})
    sent = browser.post("/keys/create/", {"name": "stray", "page_of": mine}, follow=True)
    assert "You work for Charlie Corp meanwhile. Nothing was changed." in told(sent)
    polled = browser.get("/dashboard/usage/", headers={**POLL, "X-Page-Of": mine})
    assert (polled["HX-Refresh"], polled.content) == ("true", b"")
    assert not ApiKey.objects.filter(name="stray").exists()
    other = {"name": "meant", "page_of": str(both.charlie_corp.uuid)}
    assert browser.post("/keys/create/", other)["Location"] == "/keys/"
    assert ApiKey.objects.get(name="meant").tenant == both.charlie_corp


def test_a_mails_link_leads_to_the_organisation_that_it_names(both: Cast) -> None:
    browser, theirs, mine = signed_in(both.alice), whose(both.charlie_corp), whose(both.alice_corp)
    assert browser.get("/settings/").context["tenant"] == both.alice_corp
    assert browser.get(f"/settings/{theirs}")["Location"] == "/settings/"
    assert browser.get("/settings/").context["tenant"] == both.charlie_corp
    led = browser.get(f"/usage/{mine}&meter=conversions")
    assert led["Location"] == "/usage/?meter=conversions"
    browser.post(f"/team/leave/{theirs}")  # who sends something means the page that they see
    assert Member.objects.filter(tenant=both.charlie_corp, user=both.alice).exists()


def test_whoever_is_no_member_is_led_nowhere(both: Cast) -> None:
    browser = signed_in(both.charlie)
    for link in (whose(both.alice_corp), "?tenant=nobody", "?tenant="):
        assert browser.get(f"/settings/{link}").status_code == 404
    assert browser.get("/settings/").context["tenant"] == both.charlie_corp
    asked = Client().get("/settings/", {"tenant": "x"})
    assert asked["Location"] == "/accounts/login/?next=/settings/%3Ftenant%3Dx"


def test_what_waited_for_a_confirmation_is_not_done_for_the_one_that_is_left(both: Cast) -> None:
    browser = signed_in_long_ago(both.alice)
    form = {"name": "stray", "page_of": str(both.alice_corp.uuid)}
    asked = browser.post("/keys/create/", form)["Location"]
    Member.objects.filter(tenant=both.alice_corp, user=both.alice).delete()
    browser.post(asked, {"password": PASSWORD})
    assert not ApiKey.objects.filter(name="stray").exists()

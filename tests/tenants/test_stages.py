"""Which stages are open, and what callers are told, by rows and by settings."""

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from tenants import gateway
from tenants.models import GatewayStage
from tenants.services import mirrors
from tenants.stages import api_base_url, stages_open
from tests.cast import Cast


@pytest.fixture
def stored(db: None, settings: LazySettings) -> None:
    """Nothing is set, so what was deployed counts."""
    settings.BACKEND_API_ID, settings.API_BASE_URL = None, ""


def deployed(name: str) -> GatewayStage:
    return GatewayStage.objects.create(
        api_id="made", name=name, base_url=f"https://made.example/{name}", ready_at=timezone.now()
    )


def test_before_the_first_deployment_nothing_is_open(stored: None, cast: Cast) -> None:
    assert (stages_open(), api_base_url()) == ((), "")
    with pytest.raises(gateway.GatewayNotFound, match="deploy_backend"):
        mirrors.mirrors_apply(usage_plan=cast.alice_corp.usage_plan, now=timezone.now())


def test_the_newest_stage_is_told_and_all_are_open(stored: None, client: Client) -> None:
    deployed("second")
    deployed("first")
    assert stages_open() == ("made:first", "made:second")
    assert api_base_url() == "https://made.example/first"
    assert b"https://made.example/first/v1/ping" in client.get("/").content


def test_a_stage_that_plans_do_not_open_yet_is_not_told(stored: None) -> None:
    deployed("live")
    GatewayStage.objects.create(api_id="made", name="next", base_url="https://made.example/next")
    assert stages_open() == ("made:live", "made:next")
    assert api_base_url() == "https://made.example/live"


def test_what_is_set_wins(stored: None, settings: LazySettings) -> None:
    deployed("live")
    settings.BACKEND_API_ID, settings.API_BASE_URL = "given", "https://api.example"
    assert (stages_open(), api_base_url()) == (("given:live",), "https://api.example")

"""Usage plans follow the deployed stage, and no key is refused meanwhile; calls are real ones."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import LazySettings
from django.core.management import CommandError
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from conversions import backend, services
from tenants import gateway
from tenants.models import ApiKeyVersion, GatewayStage, UsagePlan
from tenants.services import api_key_value_reveal, mirrors, reconcile, tenant_create
from tenants.services import usage_plan_save as save
from tenants.stages import api_base_url, stage_current, stages_open
from tests.cast import Cast
from tests.conversions.conftest import settings_of
from tests.conversions.deployments import FAILING, Template, deploy
from tests.local.aws.program import Program, running

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_SECONDS = 120


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Program]:
    """A local AWS with the stack; which stage is open is what was stored of it."""
    stored = override_settings(BACKEND_API_ID=None, API_BASE_URL="")
    with running(tmp_path / "aws") as aws, settings_of(aws), stored:
        deploy("--yes")
        yield aws


@pytest.fixture
def key(aws: Program, cast: Cast) -> str:
    """A key whose quota and rate never end, known to the functions."""
    now = timezone.now()
    plan = UsagePlan(
        code="endless", name="Endless", rate_limit=10_000, burst_limit=5_000, quota_limit=10**9
    )
    save(usage_plan=plan, now=now)
    tenant = tenant_create(name="Caller", owner=cast.alice, usage_plan=plan, now=now)
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    services.tenant_publish(tenant=tenant, now=now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    services.key_publish(version=version, now=now)
    value = api_key_value_reveal(version=version, now=now)
    assert value is not None
    return value


class Caller:
    """Somebody who calls `GET /v1/ping` without a pause; `seen` counts answers by stage."""

    def __init__(self, aws: Program, key: str) -> None:
        self.seen: Counter[tuple[str, int]] = Counter()
        self._aws, self._headers = aws, {"x-api-key": key}

    def call(self, stage: str) -> int:
        api_id, _, name = stage.partition(":")
        url = f"{self._aws.url}/_aws/execute-api/{api_id}/{name}/v1/ping"
        status = httpx.get(url, headers=self._headers, timeout=60).status_code
        self.seen[stage, status] += 1
        return status

    def wait_for(self, stage: str) -> None:
        """Wait until there have been more answers from this stage."""
        before, deadline = self.seen[stage, 200], time.monotonic() + PATIENCE_SECONDS
        while self.seen[stage, 200] < before + 5:
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.01)

    @contextmanager
    def calling(self, where: Callable[[], str]) -> Iterator[None]:
        """Call, one call after the other, where `where` then says."""
        done = threading.Event()

        def run() -> None:
            while not done.is_set():
                self.call(where())
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.fixture
def caller(aws: Program, key: str) -> Caller:
    return Caller(aws, key)


def told() -> str:
    """Return the stage that callers are told of now."""
    return str(stage_current())


def plans_open() -> set[tuple[str, ...]]:
    """Return which stages the gateway's usage plans open."""
    found: Any = backend.client("apigateway").get_usage_plans(limit=500)
    return {
        tuple(sorted(f"{at['apiId']}:{at['stage']}" for at in plan["apiStages"]))
        for plan in found["items"]
    }


def test_plans_and_callers_follow_a_new_stage(
    aws: Program, caller: Caller, settings: LazySettings
) -> None:
    assert api_base_url() == "https://sekisho.execute-api.us-east-1.amazonaws.com/live"
    followers = Caller(aws, caller._headers["x-api-key"])
    with caller.calling(lambda: "sekisho:live"), followers.calling(told):
        followers.wait_for("sekisho:live")
        settings.BACKEND_STAGE = "second"
        out = deploy("--yes")
        followers.wait_for("sekisho:second")
        caller.wait_for("sekisho:live")  # who does not follow is served, too
    assert {status for _, status in caller.seen + followers.seen} == {200}
    assert "sekisho:live stays open" in out
    assert api_base_url() == "https://sekisho.execute-api.us-east-1.amazonaws.com/second"
    assert plans_open() == {("sekisho:live", "sekisho:second")}

    with caller.calling(told):
        assert "stays open" not in deploy("--yes", "--close-old")
        caller.wait_for("sekisho:second")
    assert {status for stage, status in caller.seen if stage == "sekisho:second"} == {200}
    assert caller.call("sekisho:live") == 403
    assert plans_open() == {("sekisho:second",)}
    stages: Any = backend.client("apigateway").get_stages(restApiId="sekisho")
    assert [stage["stageName"] for stage in stages["item"]] == ["second"]
    assert deploy("--yes").startswith("Nothing to change.")


def test_plans_and_callers_follow_a_new_api(
    aws: Program, caller: Caller, settings: LazySettings
) -> None:
    """Another stack, beside the old one: its functions know the key only once told of it."""
    with caller.calling(told):
        caller.wait_for("sekisho:live")
        settings.BACKEND_STACK_NAME = "other"
        deploy("--yes")
        services.edge_sweep(now=timezone.now())
        caller.wait_for("other:live")
    assert {status for _, status in caller.seen} <= {200, 503}
    assert caller.call("sekisho:live") == 200
    assert stages_open() == ("other:live", "sekisho:live")


def test_a_move_that_was_cut_short_is_finished_by_the_next_run(
    aws: Program, caller: Caller, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKEND_STAGE = "second"
    with monkeypatch.context() as patch:
        patch.setattr(mirrors, "mirror_apply", after(1, mirrors.mirror_apply))
        with pytest.raises(KeyboardInterrupt):
            deploy("--yes")
    assert told() == "sekisho:live"
    assert caller.call("sekisho:live") == 200
    deploy("--yes")
    assert told() == "sekisho:second"
    assert caller.call("sekisho:second") == 200

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "stage_delete", after(0, gateway.stage_delete))
        with pytest.raises(KeyboardInterrupt):
            deploy("--yes", "--close-old")
    assert GatewayStage.objects.get(name="live").is_closing
    deploy("--yes", "--close-old")
    assert list(map(str, GatewayStage.objects.all())) == ["sekisho:second"]


def after(calls: int, real: Callable[..., object]) -> Callable[..., object]:
    """Be killed after so many calls."""
    left = [None] * calls

    def dying(**parameters: object) -> object:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return real(**parameters)

    return dying


def test_a_stage_that_is_gone_is_forgotten(
    aws: Program, caller: Caller, settings: LazySettings
) -> None:
    settings.BACKEND_STACK_NAME = "other"
    deploy("--yes")
    backend.client("cloudformation").delete_stack(StackName="sekisho")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while gateway.stage_exists(stage="sekisho:live"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    deploy("--yes")
    assert stages_open() == ("other:live",)
    assert plans_open() == {("other:live",)}


def test_the_gateways_pace_is_waited_for(
    aws: Program, key: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "PAUSE_SECONDS", 0)
    real, refusals = gateway.usage_plan_update, [None] * 3

    def update(**parameters: Any) -> gateway.PlanState:
        if refusals:
            refusals.pop()
            raise gateway.GatewayThrottled("UpdateUsagePlan: TooManyRequestsException")
        return real(**parameters)

    monkeypatch.setattr(gateway, "usage_plan_update", update)
    settings.BACKEND_STAGE = "second"
    assert "has to wait" in deploy("--yes")
    assert plans_open() == {("sekisho:live", "sekisho:second")}


def test_calls_pass_while_an_update_fails(
    aws: Program, caller: Caller, template: Template, settings: LazySettings
) -> None:
    template.add(FAILING)
    settings.GATEWAY_SECRET = "another-secret-of-the-gateway"
    with caller.calling(told):
        caller.wait_for("sekisho:live")
        with pytest.raises(CommandError, match="UPDATE_ROLLBACK_COMPLETE: "):
            deploy("--yes")
        caller.wait_for("sekisho:live")
    assert {status for _, status in caller.seen} == {200}

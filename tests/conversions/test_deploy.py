"""`manage.py deploy_backend`, as an operator runs it, at a local AWS of its own."""

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from conversions import backend
from conversions.backend import operations, packages
from tests.conversions.conftest import settings_of
from tests.conversions.deployments import FAILING, Template, deploy
from tests.local.aws.program import Program, running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Program]:
    with running(tmp_path / "aws") as aws, settings_of(aws):
        yield aws


def rows(text: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in text.splitlines()]


def row(*parts: str) -> list[str]:
    return " ".join(parts).split()


class Terminal(io.StringIO):
    """Somebody who types an answer."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have somebody answer the next question."""
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(f"{text}\n"))


def status() -> str | None:
    """Return the stack's status; None where there is none."""
    try:
        answer: Any = backend.client("cloudformation").describe_stacks(
            StackName=settings.BACKEND_STACK_NAME
        )
    except ClientError:
        return None
    return str(answer["Stacks"][0]["StackStatus"])


def change_sets() -> list[str]:
    """Return the change sets that nobody has executed."""
    answer: Any = backend.client("cloudformation").list_change_sets(
        StackName=settings.BACKEND_STACK_NAME
    )
    return [item["ChangeSetName"] for item in answer["Summaries"] if
            item["ExecutionStatus"] != "EXECUTE_COMPLETE"]  # fmt: skip


# What CloudFormation refuses before it does anything, and what fails once it is tried; and why.
TAKEN = "  Taken: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref CodeBucket}}\n"
broken = pytest.mark.parametrize(
    ("resource", "reason"),
    [
        pytest.param(TAKEN, "Taken: .* already exists", id="refused at once"),
        pytest.param(FAILING, "Failing: .*Invalid API identifier", id="fails when it is made"),
    ],
)


# --- Look first ---


def test_changes_are_shown_first_and_made_on_yes(
    aws: Program, answer: Callable[[str], None]
) -> None:
    answer("n")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was done"):
        call_command("deploy_backend", stdout=out)
    assert row("Add", "EdgeTable", "AWS::DynamoDB::Table") in rows(out.getvalue())
    assert status() in (None, "DELETE_COMPLETE")

    answer("y")
    assert row("Add", "Api", "AWS::ApiGateway::RestApi") in rows(deploy())
    assert status() == "CREATE_COMPLETE"
    files = backend.outputs()["FilesBucket"]
    kept = backend.client("s3").get_bucket_lifecycle_configuration(Bucket=files)
    assert {rule["ID"] for rule in kept["Rules"]} == {"sekisho-uploads", "sekisho-variants"}


def test_a_second_run_changes_nothing_and_asks_nothing(
    aws: Program, answer: Callable[[str], None]
) -> None:
    deploy("--yes")
    events = backend.client("cloudformation").describe_stack_events(
        StackName=settings.BACKEND_STACK_NAME
    )["StackEvents"]
    answer("nobody asks")
    lines = deploy().splitlines()
    assert lines[0] == "Nothing to change."
    assert "ApiId: sekisho" in lines
    assert "Stage: live" in lines
    assert change_sets() == []
    assert (
        backend.client("cloudformation").describe_stack_events(
            StackName=settings.BACKEND_STACK_NAME
        )["StackEvents"]
        == events
    )


def test_what_would_be_lost_is_said_and_declining_keeps_it(
    aws: Program, template: Template, answer: Callable[[str], None]
) -> None:
    deploy("--yes")
    template.edit("${AWS::StackName}-edge", "${AWS::StackName}-edges")
    answer("")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was done"):
        call_command("deploy_backend", stdout=out)
    lines = rows(out.getvalue())
    assert row("Modify", "EdgeTable", "AWS::DynamoDB::Table (replaced): TableName") in lines
    assert row("WARNING: EdgeTable is replaced: all items in it are lost.") in lines
    assert change_sets() == []
    assert backend.outputs()["EdgeTable"] == "sekisho-edge"


def test_without_anybody_to_ask_nothing_is_tried(
    aws: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(CommandError, match="--yes"):
        deploy()
    assert status() is None


def test_outputs_alone_are_a_change_too(aws: Program, template: Template) -> None:
    deploy("--yes")
    template.edit("Outputs:\n", "Outputs:\n  Extra: {Value: !Ref Api}\n")
    assert "Extra: sekisho\n" in deploy("--yes")
    assert "Nothing to change." in deploy("--yes")


# --- When it goes wrong ---


@broken
def test_what_could_not_be_created_is_gone_and_the_next_run_works(
    aws: Program, template: Template, resource: str, reason: str
) -> None:
    template.add(resource)
    with pytest.raises(CommandError, match=f"DELETE_COMPLETE: .*{reason}"):
        deploy("--yes")
    assert status() in (None, "DELETE_COMPLETE")
    template.restore()
    assert "ApiId: sekisho\n" in deploy("--yes")


@broken
def test_an_update_that_fails_leaves_what_was(
    aws: Program, template: Template, resource: str, reason: str
) -> None:
    deploy("--yes")
    before = stage()
    template.add(resource)
    with (
        override_settings(GATEWAY_SECRET="another-secret-of-the-gateway"),
        pytest.raises(CommandError, match=f"UPDATE_ROLLBACK_COMPLETE: .*{reason}"),
    ):
        deploy("--yes")
    assert stage() == before
    template.restore()
    assert "Nothing to change." in deploy("--yes")


def stage() -> dict[str, Any]:
    """Return what the stage serves, and its variables."""
    found: Any = backend.client("apigateway").get_stage(restApiId="sekisho", stageName="live")
    return {name: found[name] for name in ("deploymentId", "variables", "methodSettings")}


def test_an_update_that_cannot_be_undone_says_what_to_do(
    aws: Program, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy("--yes")
    bucket = f"sekisho-code-{backend.client('sts').get_caller_identity()['Account']}"
    old = packages.name(None)
    backend.client("s3").delete_object(Bucket=bucket, Key=old)  # which the way back leads to
    monkeypatch.setattr(packages, "EPOCH", (1981, 1, 1, 0, 0, 0))
    monkeypatch.setattr(packages, "name", lambda of: f"other-{old}")
    template.add(FAILING.replace("nowhere}", "nowhere}, DependsOn: [ApiFunction]"))
    with pytest.raises(CommandError, match="UPDATE_ROLLBACK_FAILED: "):
        deploy("--yes")
    with pytest.raises(
        CommandError, match="continue-update-rollback --stack-name sekisho`, and then this again"
    ):
        deploy("--yes")


# Waits for a signal that nobody gives, and then fails.
SLOW = """\
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Slow:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: "3"}
"""


def test_what_lasts_is_told_of(aws: Program, template: Template) -> None:
    template.add(SLOW)
    out = io.StringIO()
    with pytest.raises(CommandError, match="DELETE_COMPLETE: Slow: WaitCondition timed out"):
        call_command("deploy_backend", "--yes", stdout=out)
    assert row("CREATE_IN_PROGRESS", "Slow") in rows(out.getvalue())


@override_settings(AWS_ENDPOINT_URL=None, GATEWAY_PORTAL_URL="http://portal.example.com")
def test_on_aws_the_portal_is_called_by_https_only() -> None:
    with pytest.raises(CommandError, match="GATEWAY_PORTAL_URL has to be https"):
        deploy("--yes")


def test_a_look_that_is_throttled_is_not_the_end(
    aws: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = [ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "…")]
    look = operations.stack_find

    def now_and_then(name: str) -> dict[str, Any] | None:
        with backend.errors_of("look"):
            if throttled:
                raise throttled.pop()
        return look(name)

    monkeypatch.setattr(operations, "stack_find", now_and_then)
    deploy("--yes")
    assert (status(), throttled) == ("CREATE_COMPLETE", [])


def test_a_run_that_was_killed_while_it_waited_is_waited_for(
    aws: Program, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.add(SLOW)
    with monkeypatch.context() as patch:
        # Not time.sleep itself: threads of the local AWS in this process call it as well.
        patch.setattr(operations, "time", SimpleNamespace(monotonic=time.monotonic, sleep=dies))
        with pytest.raises(KeyboardInterrupt):
            deploy("--yes")
    assert status() == "CREATE_IN_PROGRESS"
    template.restore()
    out = deploy("--yes")
    assert out.startswith("Another deployment is under way; waiting for it.\n")
    assert "It ended in DELETE_COMPLETE: Slow: WaitCondition timed out" in out
    assert row("Add", "Api", "AWS::ApiGateway::RestApi") in rows(out)
    assert status() == "CREATE_COMPLETE"


def test_a_run_that_was_killed_before_it_applied_anything_is_finished_by_the_next(
    aws: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it leaves is a stack under review, and a change set."""
    with monkeypatch.context() as patch:
        patch.setattr("conversions.backend.stack.Operation", dies)
        with pytest.raises(KeyboardInterrupt):
            deploy("--yes")
    assert status() == "REVIEW_IN_PROGRESS"
    assert "ApiId: sekisho\n" in deploy("--yes")


def dies(*_args: object) -> None:
    raise KeyboardInterrupt

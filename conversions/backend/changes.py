"""Change sets: what a deployment would do to the stack, so that somebody can look first."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conversions import backend
from conversions.backend.operations import validation_errors

PATIENCE_SECONDS = 300
# What is gone with a resource, for those that are more than what the template says of them.
LOSSES = {
    "AWS::DynamoDB::Table": "all items in it are lost",
    "AWS::SQS::Queue": "messages that wait in it are lost",
    "AWS::Kinesis::Stream": "records that wait in it are lost",
    "AWS::ApiGateway::RestApi": "callers get another address",
}


@dataclass(frozen=True)
class Change:
    """What would be done to one resource, in CloudFormation's own words.

    `replacement` is "True", "False", "Conditional" or, where nothing can be replaced, empty;
    `what` names the properties that change. `is_kept`: what is removed or replaced stays, outside
    the stack.
    """

    action: str
    logical_id: str
    type: str
    replacement: str
    what: tuple[str, ...]
    is_kept: bool

    @property
    def details(self) -> str:
        """Say what of the resource changes, and whether that makes another one of it."""
        how = {"True": " (replaced)", "Conditional": " (perhaps replaced)"}
        what = f": {', '.join(self.what)}" if self.what else ""
        return f"{self.type}{how.get(self.replacement, '')}{what}"

    @property
    def warning(self) -> str:
        """Say what would be lost; empty where nothing is."""
        loss = LOSSES.get(self.type)
        if loss is None or self.is_kept:
            return ""
        if self.action == "Remove":
            return f"  WARNING: {self.logical_id} is removed: {loss}."
        if self.replacement == "True":
            return f"  WARNING: {self.logical_id} is replaced: {loss}."
        if self.replacement == "Conditional":
            return f"  WARNING: {self.logical_id} is perhaps replaced: then {loss}."
        return ""


@dataclass(frozen=True)
class ChangeSet:
    """A change set that can be executed. Without changes of resources it changes outputs alone."""

    id: str
    stack_id: str
    changes: tuple[Change, ...]

    @property
    def lines(self) -> Iterator[str]:
        """Return what people read before they agree: the changes, and then the warnings."""
        width = max((len(change.logical_id) for change in self.changes), default=0)
        for change in self.changes:
            yield f"  {change.action:<7} {change.logical_id:<{width}}  {change.details}"
        yield from (change.warning for change in self.changes if change.warning)
        if not self.changes:
            yield "  Only the stack's outputs change."


def change_set_create(*, kind: str, request: dict[str, Any]) -> ChangeSet | None:
    """Ask what CREATE or UPDATE would do; None where that is nothing. Raise BackendError."""
    cloudformation = backend.client("cloudformation")
    with backend.errors_of("create a change set"):
        answer = cloudformation.create_change_set(
            ChangeSetName=f"deploy-{uuid.uuid4().hex}", ChangeSetType=kind, **request
        )
        pages = _described(answer["Id"])
    status, reason = pages[0]["Status"], pages[0].get("StatusReason", "")
    if status == "CREATE_COMPLETE":
        changes = [item["ResourceChange"] for page in pages for item in page.get("Changes", [])]
        return ChangeSet(
            id=answer["Id"], stack_id=answer["StackId"], changes=tuple(map(_change, changes))
        )
    wrong = [
        event["ValidationStatusReason"] for event in validation_errors(ChangeSetName=answer["Id"])
    ]
    with backend.errors_of("delete a change set"):
        cloudformation.delete_change_set(ChangeSetName=answer["Id"])
    # So AWS says it, in two ways; there is no code for it.
    if "didn't contain changes" in reason or "No updates are to be performed" in reason:
        return None
    raise backend.BackendRefused(" ".join(["The change set could not be made:", reason, *wrong]))


def _described(change_set: str) -> list[dict[str, Any]]:
    """Return the pages of a change set, once it is whole."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pages = backend.client("cloudformation").get_paginator("describe_change_set")
    while True:
        found: list[dict[str, Any]] = list(pages.paginate(ChangeSetName=change_set))
        if found[0]["Status"] in {"CREATE_COMPLETE", "FAILED"}:
            return found
        if time.monotonic() > deadline:
            raise backend.BackendUnavailable(
                f"The change set was not ready after {PATIENCE_SECONDS} s."
            )
        time.sleep(2)


def _change(item: dict[str, Any]) -> Change:
    targets = [detail["Target"] for detail in item.get("Details", [])]
    return Change(
        action=item["Action"],
        logical_id=item["LogicalResourceId"],
        type=item["ResourceType"],
        replacement=item.get("Replacement", ""),
        what=tuple(dict.fromkeys(target.get("Name") or target["Attribute"] for target in targets)),
        is_kept=item.get("PolicyAction", "").endswith("Retain"),
    )

"""What happens to a stack: wait until it is at rest, and tell what it does meanwhile."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from conversions import backend

Say = Callable[[str], None]

PATIENCE_SECONDS = 1800
PAUSES = 0.2, 5.0  # seconds between looks, ever longer
REVIEWED = "REVIEW_IN_PROGRESS"  # a change set to create it is there, and nothing happens


def stack_find(name: str) -> dict[str, Any] | None:
    """Return a stack by its name, or by its id even where it has been deleted."""
    try:
        with backend.errors_of("describe the stack"):
            answer = backend.client("cloudformation").describe_stacks(StackName=name)
    except backend.BackendRefused as refusal:
        if "does not exist" in str(refusal):
            return None
        raise
    stack: dict[str, Any] = answer["Stacks"][0]
    return stack


def validation_errors(**of: str) -> Iterator[dict[str, Any]]:
    """Yield what CloudFormation found wrong with a stack, or a change set, before it began.

    Its other messages only say that there is something.
    """
    with backend.errors_of("read what is wrong"):
        pages = backend.client("cloudformation").get_paginator("describe_events")
        for page in pages.paginate(Filters={"FailedEvents": True}, **of):
            for event in page["OperationEvents"]:
                if event.get("ValidationStatusReason"):
                    yield event


def is_busy(status: str) -> bool:
    """Say whether something happens to a stack of this status."""
    return status.endswith("_IN_PROGRESS") and status != REVIEWED


class Operation:
    """What happens to a stack from now on.

    Make it before whatever starts the operation; it knows the stack by its id, since a stack that
    could not be created is deleted again.
    """

    def __init__(self, stack_id: str) -> None:
        self._stack_id = stack_id
        self._seen = {event["EventId"] for event in self._events()}
        self._seen |= {event["EventId"] for event in validation_errors(StackName=stack_id)}
        self._reasons: list[str] = []

    @property
    def reasons(self) -> str:
        """Return why resources failed, the first one first."""
        return " ".join(self._reasons) or "no reason was given"

    def finish(self, say: Say) -> str:
        """Wait until the stack is at rest; return its status. Raise BackendError.

        `say` gets what has happened meanwhile, as long as it goes on; what is done at once, as
        at the local AWS, needs no progress.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause, longest = PAUSES
        while True:
            try:
                stack = stack_find(self._stack_id)
                status = str(stack["StackStatus"]) if stack else "DELETE_COMPLETE"
                lines = self._news()
                if not is_busy(status):
                    self._note_validation()
                    return status
            except backend.BackendUnavailable:
                # The operation goes on all the same, and the next look may be answered.
                status, lines = "a state that AWS does not tell", []
            if time.monotonic() > deadline:
                raise backend.BackendUnavailable(
                    f"The stack was still in {status} after {PATIENCE_SECONDS // 60} minutes."
                    " Run this again to go on waiting."
                )
            for line in lines:
                say(line)
            time.sleep(pause)
            pause = min(pause * 1.5, longest)

    def _news(self) -> list[str]:
        """Return a line for each new event, oldest first, and note failures."""
        new = []
        for event in self._events():  # newest first
            if event["EventId"] in self._seen:
                break
            new.append(event)
        lines = []
        for event in reversed(new):
            self._seen.add(event["EventId"])
            status, name = event["ResourceStatus"], event["LogicalResourceId"]
            reason = event.get("ResourceStatusReason", "")
            # Others are only given up because of the first.
            if status.endswith("_FAILED") and "cancelled" not in reason:
                self._reasons.append(f"{name}: {reason}")
            lines.append(f"  {status:<28} {name}")
        return lines

    def _note_validation(self) -> None:
        for event in validation_errors(StackName=self._stack_id):
            if event["EventId"] not in self._seen:
                name, reason = event["LogicalResourceId"], event["ValidationStatusReason"]
                self._reasons.append(f"{name}: {reason}")

    def _events(self) -> Iterator[dict[str, Any]]:
        with backend.errors_of("read the stack's events"):
            pages = backend.client("cloudformation").get_paginator("describe_stack_events")
            for page in pages.paginate(StackName=self._stack_id):
                yield from page["StackEvents"]

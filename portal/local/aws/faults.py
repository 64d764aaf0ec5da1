"""Faults that a test asks for: a named call fails before its effect, or after it.

An operation is named as in AWS's API (`CreateApiKey`); for services other than API Gateway the ones
that name themselves in `x-amz-target` can be hit too (`PutItem`, `SendMessage`).
"""

from dataclasses import dataclass
from typing import Literal

from portal.local.aws.wire import Request

When = Literal["before", "after"]


@dataclass
class Fault:
    """`times` calls of `operation` are answered with `status`; None closes the connection."""

    operation: str
    when: When
    times: int
    status: int | None


class Faults:
    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def __bool__(self) -> bool:
        return bool(self._faults)

    def due(self, operation: str | None) -> Fault | None:
        """The fault that strikes this call, which is used up by it."""
        for fault in self._faults:
            if fault.operation == operation:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None


def targeted_operation(request: Request) -> str | None:
    """The operation that a JSON-protocol request names, e.g. `DynamoDB_20120810.PutItem`."""
    target = request.header(b"x-amz-target")
    return target.rpartition(".")[2] if target else None

"""What a method does once a call is admitted: one module per kind of integration.

A kind is a function that takes the integration's definition (as GetIntegration gives it) and
returns something that can be invoked, or None where the definition is not of its kind. It is made
once per deployment; a call then costs only the invocation.
"""

from collections.abc import Callable, Mapping
from typing import Any

from portal.local.aws.integrations.base import Call, Integration, unsupported
from portal.local.aws.integrations.lambda_proxy import lambda_proxy
from portal.local.aws.integrations.mock import mock

__all__ = ["Call", "Integration", "integration_for"]

KINDS: tuple[Callable[[Mapping[str, Any], str], Integration | None], ...] = (mock, lambda_proxy)


def integration_for(definition: Mapping[str, Any] | None, region: str) -> Integration:
    """The integration of a method; one that answers 500 where there is none, or none we know."""
    for kind in KINDS if definition else ():
        if integration := kind(definition or {}, region):
            return integration
    return unsupported(definition)

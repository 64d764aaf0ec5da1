"""What a method does once a call is admitted: one module per kind of integration.

A kind is a function that takes the integration's definition (as GetIntegration gives it) and
returns something that can be invoked, or None where the definition is not of its kind. It is made
once per deployment; a call then costs only the invocation.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from portal.local.aws.integrations.base import Call, Integration, unsupported
from portal.local.aws.integrations.http import http
from portal.local.aws.integrations.lambda_proxy import lambda_proxy
from portal.local.aws.integrations.mock import mock
from portal.local.aws.integrations.service import service
from portal.local.aws.vtl import TemplateFailed

__all__ = ["Call", "Integration", "integration_for"]

logger = logging.getLogger(__name__)

KINDS: tuple[Callable[[Mapping[str, Any], str], Integration | None], ...] = (
    mock,
    lambda_proxy,
    service,
    http,
)


def integration_for(definition: Mapping[str, Any] | None, region: str) -> Integration:
    """The integration of a method; one that answers 500 where there is none, or none we know."""
    for kind in KINDS if definition else ():
        try:
            if integration := kind(definition or {}, region):
                return integration
        except TemplateFailed as failure:
            logger.error("%s: a template: %s", (definition or {}).get("uri"), failure)
            break
    return unsupported(definition)

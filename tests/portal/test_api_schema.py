"""The management API answers as its OpenAPI document says, whatever is sent; and that has no gaps.

The calls follow from the document, valid ones and wrong ones, and go to the portal in this process.
"""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi import checks

from conversions import backend
from portal.wsgi import application
from tenants.scopes import Scope
from tests.cast import Cast
from tests.tenants.tokens import token_of

EXAMPLES = 5  # of each operation

schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))  # type: ignore[no-untyped-call]  # it has no types
schema.app = application
# Whether it has changed since it was read is looked at first, whatever the body is.
rejection = schema.config.checks.negative_data_rejection
rejection.expected_statuses = [*rejection.expected_statuses, "412"]


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """Keep the test's connection over requests, as Django's test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def test_the_document_is_made_without_a_warning() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


def test_the_document_tells_of_the_headers_that_programs_follow() -> None:
    paths = schema.raw_schema["paths"]
    listed = paths["/api/v1/invoices/"]["get"]["responses"]["200"]["headers"]
    assert {"Link", "ETag", "RateLimit-Remaining"} <= set(listed)
    made = paths["/api/v1/keys/"]["post"]["responses"]
    assert "Idempotent-Replayed" in made["201"]["headers"]
    assert "Retry-After" in made["default"]["headers"]


@pytest.fixture
def token(cast: Cast) -> str:
    """The value of a token that may do everything."""
    return token_of(cast, *Scope)[1]


@pytest.fixture
def _storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say where files go, as the stack would; a form to send them with is made without it."""
    monkeypatch.setattr(backend, "outputs", lambda: {"FilesBucket": "files"})


@pytest.mark.django_db
@pytest.mark.usefixtures("_one_connection", "_storage")
@schema.parametrize()
@hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case: schemathesis.Case[Any], token: str) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Bearer {token}"},
        # A schema cannot say all: an end comes after its start, a name is more than spaces.
        excluded_checks=[checks.positive_data_acceptance],
    )

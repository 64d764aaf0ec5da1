"""Whatever anybody sends, the gateway answers as the reference says: generated calls, real answers.

The calls follow from conversions/serverless/openapi.json, valid ones and wrong ones, and go through
the local gateway to every backend; answers are held against the document.
"""

from typing import Any

import httpx
import pytest
import schemathesis
from django.conf import settings
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.specs.openapi import checks

from bench._programs import throttles_lift
from conversions import backend, reference, services
from tenants.models import ApiKeyVersion, UsagePlan
from tenants.services import api_key_value_reveal, reconcile, tenant_create, usage_plan_save
from tests.cast import Cast

EXAMPLES = 20  # of each operation


def document() -> dict[str, Any]:
    """Return the reference with what this caller may ask for: its tenant's presets."""
    found = reference.document()
    presets = found["components"]["schemas"]["NewUpload"]["properties"]["presets"]
    presets["items"] = {"type": "string", "enum": ["thumb", "web", "avif"]}
    return found


schema = schemathesis.openapi.from_dict(document())


@pytest.fixture
def key(stack: str, cast: Cast, portal: None) -> str:
    """A key whose quota and rate never end."""
    now = timezone.now()
    plan = UsagePlan(
        code="endless", name="Endless", rate_limit=10_000, burst_limit=5_000, quota_limit=10**9
    )
    usage_plan_save(usage_plan=plan, now=now)
    tenant = tenant_create(name="Fuzz", owner=cast.alice, usage_plan=plan, now=now)
    services.presets_seed(now=now)
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    services.tenant_publish(tenant=tenant, now=now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    value = api_key_value_reveal(version=version, now=now)
    assert value is not None
    # The stage's own throttles are for all tenants together, and would refuse most calls.
    gateway = backend.client("apigateway")
    throttles_lift(gateway, api_id=backend.outputs()["ApiId"], stage=settings.BACKEND_STAGE)
    return value


@pytest.mark.django_db(transaction=True)
@schema.parametrize()
@hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_reference_says(
    case: schemathesis.Case[Any], key: str, stack: str
) -> None:
    excluded = [
        checks.unsupported_method,  # API Gateway knows no 405
        checks.missing_required_header,  # the key is one; see below
    ]
    if case.path == "/v1/account/usage":
        excluded += [
            checks.positive_data_acceptance,  # an end may come before its start
            checks.negative_data_rejection,  # a parameter that is not mapped is left out
        ]
    case.call_and_validate(
        base_url=stack,
        headers={"x-api-key": key},
        excluded_checks=excluded,
        timeout=60,  # a function's first call starts its process
    )


@pytest.mark.django_db(transaction=True)
def test_no_operation_answers_without_a_key(stack: str) -> None:
    for path, verbs in reference.document()["paths"].items():
        for verb in verbs:
            answer = httpx.request(verb, f"{stack}{path}", json={}, timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (403, "invalid_api_key"), path

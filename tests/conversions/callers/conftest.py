"""Callers of the sold API, each with its tenant's key, and what they do."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from django.utils import timezone

from conversions import services
from tenants.models import ApiKeyVersion, Tenant
from tenants.services import api_key_value_reveal, reconcile
from tests.cast import Cast

PATIENCE_SECONDS = 120


@pytest.fixture
def alice(stack: str, tenant: Tenant) -> Iterator[httpx.Client]:
    """A caller with the key of Alice's tenant."""
    with _caller(stack, tenant) as client:
        yield client


@pytest.fixture
def charlie(stack: str, cast: Cast, tenant: Tenant) -> Iterator[httpx.Client]:
    """A caller with the key of another tenant."""
    with _caller(stack, cast.charlie_corp) as client:
        yield client


def _caller(stack: str, tenant: Tenant) -> httpx.Client:
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    services.tenant_publish(tenant=tenant, now=timezone.now())
    value = api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None
    return httpx.Client(base_url=stack, headers={"x-api-key": value}, timeout=60)


def until(ask: Callable[[], httpx.Response], good: Callable[[Any], bool]) -> Any:
    """Ask until the answer is good; return its body."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ask()
        if answer.status_code == 200 and good(answer.json()):
            return answer.json()
        assert time.monotonic() < deadline, f"{answer.status_code}: {answer.text}"
        time.sleep(0.25)  # between two looks; what is waited for is the condition above


def uploaded(caller: httpx.Client, photo: bytes, **asked: Any) -> str:
    """Upload a photo by the API; return the upload's id."""
    made = caller.post("/v1/uploads", json={"filename": "barrier.jpg", **asked})
    assert made.status_code == 201, made.text
    form = made.json()["form"]
    posted = httpx.post(form["url"], data=form["fields"], files={"file": photo})
    assert posted.status_code == 204, posted.text
    return str(made.json()["id"])


def converted(caller: httpx.Client, upload: str) -> Any:
    return until(lambda: caller.get(f"/v1/uploads/{upload}"), lambda it: it["state"] == "done")

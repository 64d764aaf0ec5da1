"""Each code sample of the docs page runs through the gateway to its backend, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from conversions import samples, services
from conversions.samples import LANGUAGES, Language
from tenants.models import ApiKeyVersion, Tenant
from tenants.services import api_key_value_reveal, reconcile

RUN_BY = {
    "curl": ["bash", "-euo", "pipefail"],
    "python": [sys.executable],
    "javascript": ["node"],
}
PROGRAMS = {"curl": ("bash", "curl", "jq"), "python": (), "javascript": ("node",)}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def language(request: pytest.FixtureRequest) -> Language:
    """A language whose programs are here. Without them its test is skipped; in CI it fails."""
    language: Language = request.param
    missing = [program for program in PROGRAMS[language.code] if shutil.which(program) is None]
    if missing:
        reason = f"Not on the PATH: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return language


@pytest.fixture
def key(stack: str, tenant: Tenant, portal: None) -> str:
    """The value of Alice's key, known to the gateway, the functions and the portal."""
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    services.tenant_publish(tenant=tenant, now=timezone.now())
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    value = api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None
    return value


Run = Callable[..., str]


@pytest.fixture
def run(stack: str, key: str, photo: bytes, tmp_path: Path) -> Run:
    """Run a sample where photo.jpg is; return what it printed."""
    (tmp_path / "photo.jpg").write_bytes(photo)

    def run(operation: str, language: Language, **environment: str) -> str:
        program = tmp_path / f"{operation}.{language.suffix}"
        sample = samples.sample(operation, language, base_url=stack)
        program.write_text(sample.text, encoding="utf-8")
        ended = subprocess.run(
            [*RUN_BY[language.code], program.name],
            cwd=tmp_path,
            env={**os.environ, "API_KEY": key, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, f"{program.name}: {ended.stdout}{ended.stderr}"
        return ended.stdout.strip()

    return run


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda each: each.code, indirect=True)
def test_every_sample_runs(language: Language, run: Run) -> None:
    ran = set()

    def printed(operation: str, **environment: str) -> str:
        ran.add(operation)
        return run(operation, language, **environment)

    assert "Alice Corp" in printed("ping")

    upload = printed("createUpload")
    assert UUID.fullmatch(upload)
    state, *variants = printed("getUpload", UPLOAD=upload).splitlines()
    assert state == "done"
    links = dict(variant.split(" ") for variant in variants)
    assert links.keys() == {"thumb", "web", "avif"}
    assert all(httpx.get(link).status_code == 200 for link in links.values())
    assert printed("listUploads") == f"{upload} photo.jpg"
    shared = dict(line.split(" ") for line in printed("updateUpload", UPLOAD=upload).splitlines())
    assert shared.keys() == links.keys()
    assert all(link.startswith(f"{settings.SITE_URL}/p/") for link in shared.values())

    job = printed("createJob", UPLOAD=upload)
    assert printed("getJob", JOB=job) == "accepted"
    assert printed("createEvents", UPLOAD=upload) == "accepted"
    execution = printed("startIngest", UPLOAD=upload)
    assert printed("getIngest", EXECUTION=execution) == "succeeded"

    assert re.fullmatch(r"\d+ used, \d+ remaining", printed("getUsage"))
    assert printed("account") == "default active"
    assert printed("deleteUpload", UPLOAD=upload) == "204"
    assert printed("listUploads") == ""
    assert ran == set(samples.operations())


def test_there_is_no_sample_of_nothing_and_none_is_missing() -> None:
    wanted = {f"{name}.{one.suffix}" for name in samples.operations() for one in LANGUAGES}
    assert {path.name for path in samples.FOLDER.iterdir()} == wanted
    for path in samples.FOLDER.iterdir():
        assert samples.BASE_URL in path.read_text(encoding="utf-8"), path.name

"""The backend's own stack at a local AWS of its own, and a tenant who uploads to it.

It is a program of its own: in a thread, ministack's functions would leave open files behind in this
process, which are errors here.
"""

import io
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone
from PIL import Image
from pytest_django.live_server_helper import LiveServer

from conversions import backend, services
from conversions.backend.stack import deploy
from conversions.models import Upload
from conversions.serverless.functions import clients
from tenants.models import Tenant
from tests.cast import Cast
from tests.conversions.deployments import Template
from tests.env import NOBODY
from tests.local.aws.program import Program, running
from tests.sessions import signed_in

Post = Callable[[bytes], Upload]
PATIENCE = 240  # long polls of the results queue, a second each


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The deployed stack; yields its API's base URL. Its state machine waits a tenth as long."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SFN_WAIT_SCALE", "0.1")
        with running(tmp_path_factory.mktemp("backend")) as aws, settings_of(aws) as base_url:
            assert deploy().was_changed
            yield base_url


@contextmanager
def settings_of(aws: Program) -> Iterator[str]:
    """Point the settings at a local AWS, on the real clock; yield its API's base URL."""
    httpx.post(f"{aws.url}/_sekisho/clock", json={"now": None}).raise_for_status()
    base_url = f"{aws.url}/_aws/execute-api/{settings.BACKEND_API_ID}/{settings.BACKEND_STAGE}"
    with override_settings(AWS_ENDPOINT_URL=aws.url, API_BASE_URL=base_url):
        forget()
        yield base_url
    forget()


def forget() -> None:
    """Have the stack looked up again."""
    backend.outputs.cache_clear()


@pytest.fixture
def storage_away() -> Iterator[None]:
    """Nothing listens where AWS should be."""
    with override_settings(AWS_ENDPOINT_URL=NOBODY):
        forget()
        yield
    forget()


@pytest.fixture
def tenant(stack: str, cast: Cast) -> Tenant:
    """Alice's tenant, known at the edge with the seeded presets."""
    services.presets_seed(now=timezone.now())
    services.tenant_publish(tenant=cast.alice_corp, now=timezone.now())
    return cast.alice_corp


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Template:
    return Template(tmp_path, monkeypatch)


@pytest.fixture
def on_lambda(stack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Functions that are called here find the stack as they do on Lambda."""
    outputs = backend.outputs()
    assert settings.AWS_ENDPOINT_URL is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", settings.AWS_ENDPOINT_URL)
    monkeypatch.setenv("AWS_DEFAULT_REGION", settings.AWS_REGION)
    monkeypatch.setenv("EDGE_TABLE", outputs["EdgeTable"])
    monkeypatch.setenv("UPLOADS_TABLE", outputs["UploadsTable"])
    monkeypatch.setenv("LIVE_TABLE", outputs["LiveTable"])
    monkeypatch.setenv("RESULTS_QUEUE", outputs["ResultsQueue"])
    clients.client.cache_clear()
    clients.table.cache_clear()
    yield
    clients.client.cache_clear()
    clients.table.cache_clear()


@pytest.fixture
def meter_table(on_lambda: None) -> str:
    """The table of the meter."""
    return backend.outputs()["LiveTable"]


@pytest.fixture
def key_id() -> str:
    """The gateway's id of a key that nothing was counted for yet."""
    return f"key-{uuid.uuid4()}"


@pytest.fixture
def alice(cast: Cast) -> Client:
    return signed_in(cast.alice)


@pytest.fixture
def photo() -> bytes:
    out = io.BytesIO()
    Image.effect_mandelbrot((1600, 1200), (-2, -1.2, 1, 1.2), 50).convert("RGB").save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def post(tenant: Tenant, cast: Cast) -> Post:
    """Upload as a browser does: ask for the form, post the file to S3."""

    def post(data: bytes) -> Upload:
        upload, form = services.upload_create(
            tenant=tenant, filename="photo.jpg", size=len(data) or 1, content_type="image/jpeg",
            actor=cast.alice, now=timezone.now(),
        )  # fmt: skip
        answer = httpx.post(form.url, data=form.fields, files={"file": data})
        assert answer.status_code == 204, answer.text
        return upload

    return post


@pytest.fixture
def portal(stack: str, live_server: LiveServer) -> None:
    """The monolith, where the stage's variable says that it is."""
    backend.client("apigateway").update_stage(
        restApiId=settings.BACKEND_API_ID,
        stageName=settings.BACKEND_STAGE,
        patchOperations=[
            {
                "op": "replace",
                "path": "/variables/portal",
                "value": live_server.url.removeprefix("http://"),
            }
        ],
    )


def finish(
    upload: Upload, *, until: Callable[[Upload], bool] = lambda upload: upload.is_finished
) -> Upload:
    """Let reports come, each of them twice, until the upload is finished, or something else."""
    for _ in range(PATIENCE):
        for result in backend.results_receive(wait_seconds=1):
            services.result_apply(body=result.body, now=timezone.now())
            services.result_apply(body=result.body, now=timezone.now())
            backend.result_delete(result=result)
        services.results_poll(now=timezone.now())
        upload.refresh_from_db()
        if until(upload):
            return upload
    pytest.fail(f"The upload is still {upload.state}.")


def written(upload: Upload) -> dict[str, Any]:
    """Return when each of an upload's variants was written, by its key."""
    listed = backend.client("s3").list_objects_v2(
        Bucket=backend.outputs()["FilesBucket"], Prefix=upload.prefixes[1]
    )
    return {item["Key"]: item["LastModified"] for item in listed["Contents"]}

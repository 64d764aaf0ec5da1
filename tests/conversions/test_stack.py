"""The serverless stack at the local AWS, whole: from a posted file to variants and usage."""

import io
from collections.abc import Iterator

import httpx
import pytest
from django.test import override_settings
from django.utils import timezone
from PIL import Image

from conversions import backend, services
from conversions.backend.stack import deploy
from conversions.models import Conversion, EdgeItem, Preset, Upload, UploadError, UploadState
from portal.local.aws.server import LocalAWS
from tenants.errors import Refused
from tenants.models import ApiKeyVersion, Meter, Tenant, UsageDay
from tenants.services import api_key_revoke, api_key_value_reveal, reconcile
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 30  # long polls of the results queue, a second each


@pytest.fixture(scope="module")
def stack(local_aws: LocalAWS) -> Iterator[str]:
    """The backend's own stack beside the one route that other tests use; yields its base URL."""
    name = "sekisho-stack-test"
    with override_settings(BACKEND_STACK_NAME=name, BACKEND_API_ID=name):
        backend.client.cache_clear()
        backend.outputs.cache_clear()
        assert deploy().was_changed
        yield f"{local_aws.url}/_aws/execute-api/{name}/live"
    backend.outputs.cache_clear()


@pytest.fixture
def tenant(stack: str, cast: Cast) -> Tenant:
    services.presets_seed(now=timezone.now())
    services.tenant_publish(tenant=cast.alice_corp, now=timezone.now())
    return cast.alice_corp


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.effect_mandelbrot((1600, 1200), (-2, -1.2, 1, 1.2), 50).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def post(tenant: Tenant, cast: Cast, data: bytes) -> Upload:
    """Upload as a browser does: ask for the form, post the file to S3."""
    upload, form = services.upload_create(
        tenant=tenant, filename="photo.jpg", size=len(data) or 1, content_type="image/jpeg",
        actor=cast.alice, now=timezone.now(),
    )  # fmt: skip
    answer = httpx.post(form.url, data=form.fields, files={"file": data})
    assert answer.status_code == 204, answer.text
    return upload


def finish(upload: Upload) -> Upload:
    """Let the results come until the upload is finished."""
    for _ in range(PATIENCE):
        for result in backend.results_receive(wait_seconds=1):
            services.result_apply(body=result.body, now=timezone.now())
            services.result_apply(body=result.body, now=timezone.now())  # they may come twice
            backend.result_delete(result=result)
        upload.refresh_from_db()
        if upload.is_finished:
            return upload
    pytest.fail(f"The upload is still {upload.state}.")


def test_a_picture_becomes_three_variants_each_counted_once(tenant: Tenant, cast: Cast) -> None:
    upload = finish(post(tenant, cast, jpeg()))
    assert upload.state == UploadState.DONE, upload.error_code
    assert (upload.width, upload.height) == (1600, 1200)
    sizes = {c.preset_code: (c.width, c.height) for c in Conversion.objects.all()}
    assert sizes == {"thumb": (200, 200), "web": (1280, 960), "avif": (640, 480)}
    for conversion in Conversion.objects.all():
        answer = httpx.get(backend.link(key=conversion.key))
        assert answer.status_code == 200
        assert len(answer.content) == conversion.bytes
        assert Image.open(io.BytesIO(answer.content)).size == sizes[conversion.preset_code]
    assert UsageDay.objects.get(meter=Meter.CONVERSIONS).used == 3


def test_what_is_no_picture_is_refused_with_a_reason(tenant: Tenant, cast: Cast) -> None:
    upload = finish(post(tenant, cast, b"GIF? no."))
    assert upload.state == UploadState.FAILED
    assert upload.error_code == UploadError.NOT_AN_IMAGE
    assert not upload.may_retry
    assert not Conversion.objects.exists()


def test_storage_refuses_an_empty_file(tenant: Tenant, cast: Cast) -> None:
    with pytest.raises(AssertionError, match=r"EntityTooSmall|Policy|less than"):
        post(tenant, cast, b"")


def test_a_preset_is_a_row(tenant: Tenant, cast: Cast) -> None:
    preset = Preset(code="tiny", name="Tiny", width=32, format="png")
    services.preset_save(preset=preset, now=timezone.now())
    services.edge_sweep(now=timezone.now())
    upload = finish(post(tenant, cast, jpeg()))
    assert upload.variants_expected == 4
    assert Conversion.objects.get(preset_code="tiny").width == 32


def test_deleting_takes_the_objects_too(tenant: Tenant, cast: Cast) -> None:
    upload = finish(post(tenant, cast, jpeg()))
    key = upload.source_key
    services.upload_delete(upload=upload, actor=cast.alice, now=timezone.now())
    services.uploads_sweep(now=timezone.now())
    assert not Upload.objects.exists()
    assert httpx.get(backend.link(key=key)).status_code == 404


def test_a_second_deployment_changes_nothing(stack: str) -> None:
    assert not deploy().was_changed


def test_ping_knows_the_key_until_it_is_revoked(stack: str, tenant: Tenant) -> None:
    """The edge follows the key: published when active, taken away when revoked."""
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    version = ApiKeyVersion.objects.get(api_key__tenant=tenant)
    value = api_key_value_reveal(version=version, now=timezone.now())
    assert value is not None

    def ping() -> httpx.Response:
        return httpx.get(f"{stack}/v1/ping", headers={"x-api-key": value})

    version.refresh_from_db()
    assert ping().status_code == 503
    services.edge_sweep(now=timezone.now())  # as if the news of it had been lost
    body = ping().json()
    assert body["key"] == {"id": version.gateway_id, "name": "default"}
    assert body["tenant"] == {"id": str(tenant.uuid), "name": "Alice Corp"}
    assert body["plan"] == "free"
    api_key_revoke(api_key=version.api_key, actor=None, now=timezone.now())
    version.refresh_from_db()
    services.key_publish(version=version, now=timezone.now())
    assert EdgeItem.objects.get(key=f"key#{version.gateway_id}").body is None
    reconcile.tenant_reconcile(tenant_id=tenant.pk, clock=timezone.now)
    assert ping().status_code == 403


@pytest.mark.parametrize(
    ("size", "filename"), [(0, "a.jpg"), (20_000_001, "a.jpg"), (1, ""), (1, "C:\\x\\")]
)
def test_what_cannot_be_uploaded_is_refused_at_once(cast: Cast, size: int, filename: str) -> None:
    with pytest.raises(Refused):
        services.upload_create(
            tenant=cast.alice_corp, filename=filename, size=size, content_type="", actor=cast.alice,
            now=timezone.now(),
        )  # fmt: skip


def test_results_about_nothing_we_know_are_dropped(cast: Cast) -> None:
    key = "uploads/a/6e0d4d4e-0000-4000-8000-000000000000/source"
    body = {"kind": "failed", "key": key, "error": "x"}
    services.result_apply(body=body, now=timezone.now())
    assert not Upload.objects.exists()

"""A preset's watermark is where the functions read it before the functions hear of the preset."""

import hashlib
import json

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from conversions import backend, services
from conversions.backend.watermarks import watermark_put
from conversions.models import Preset
from conversions.models.watermarks import MOST_BYTES
from conversions.services import watermarks
from conversions.services.presets import SEEDED
from tenants.models import Tenant
from tests.conversions.watermarks import png

pytestmark = pytest.mark.django_db(transaction=True)


def marked(data: bytes | None) -> Preset:
    """Save the preset `web` with this watermark."""
    preset = Preset.objects.get(code="web")
    preset.watermark = data
    return services.preset_save(preset=preset, now=timezone.now())


def published(tenant: Tenant) -> dict[str, str]:
    """Return the watermarks' keys that the functions know, by the presets' codes."""
    answer = backend.client("dynamodb").get_item(
        TableName=backend.outputs()["EdgeTable"], Key={"pk": {"S": f"tenant#{tenant.uuid}"}}
    )
    presets = json.loads(answer["Item"]["presets"]["S"])
    return {each["code"]: (each.get("watermark") or {}).get("key", "") for each in presets}


def stored(key: str) -> bytes:
    """Read a watermark as a function does."""
    answer = backend.client("s3").get_object(
        Bucket=backend.outputs()["FilesBucket"], Key=f"watermarks/{key}.png"
    )
    data: bytes = answer["Body"].read()
    return data


def test_a_watermark_is_there_before_its_preset(tenant: Tenant) -> None:
    preset = marked(png())
    assert preset.watermark_key == hashlib.sha256(png()).hexdigest()
    assert preset.version == 2
    assert published(tenant)["web"] == ""
    services.tenant_publish(tenant=tenant, now=timezone.now())
    assert published(tenant)["web"] == preset.watermark_key
    assert stored(preset.watermark_key) == png()


def test_what_a_crash_left_is_done_by_the_next_sweep(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = marked(png("blue"))

    class Killed(BaseException):
        pass

    def put_and_die(*, key: str, data: bytes) -> None:
        watermark_put(key=key, data=data)
        raise Killed

    monkeypatch.setattr(watermarks, "watermark_put", put_and_die)
    with pytest.raises(Killed):
        services.edge_sweep(now=timezone.now())
    assert stored(preset.watermark_key) == png("blue")
    assert published(tenant)["web"] == ""

    monkeypatch.undo()
    services.edge_sweep(now=timezone.now())
    assert published(tenant)["web"] == preset.watermark_key
    preset.refresh_from_db()
    assert preset.watermark_published_at is not None


def test_without_storage_the_functions_keep_what_they_know(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked(png("green"))

    def away(*, key: str, data: bytes) -> None:
        raise backend.BackendUnavailable("write a watermark: nobody answers")

    monkeypatch.setattr(watermarks, "watermark_put", away)
    with pytest.raises(backend.BackendUnavailable):
        services.tenant_publish(tenant=tenant, now=timezone.now())
    assert set(published(tenant)) == {preset["code"] for preset in SEEDED}
    assert published(tenant)["web"] == ""


def test_one_that_is_published_is_not_written_again(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked(png())
    services.edge_sweep(now=timezone.now())
    written: list[str] = []
    monkeypatch.setattr(watermarks, "watermark_put", lambda *, key, data: written.append(key))
    preset = marked(png())
    assert preset.version == 2
    services.edge_sweep(now=timezone.now())
    assert written == []
    assert marked(png("black")).version == 3
    services.edge_sweep(now=timezone.now())
    assert written == [hashlib.sha256(png("black")).hexdigest()]
    preset = marked(None)
    assert (preset.version, preset.watermark_key, preset.watermark_published_at) == (4, "", None)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GIF89a" + bytes(40), "not_png"),
        (b"\x89PNG\r\n\x1a\n", "not_png"),
        (png() + bytes(MOST_BYTES), "too_large"),
        (png(size=(2001, 2000)), "too_many_pixels"),
        (png()[:-30], "damaged"),
    ],
)
def test_what_is_no_watermark_is_refused(data: bytes, code: str, db: None) -> None:
    preset = Preset(code="marked", name="Marked", width=100, watermark=data)
    with pytest.raises(ValidationError) as refusal:
        services.preset_save(preset=preset, now=timezone.now())
    assert [error.code for error in refusal.value.error_dict["watermark"]] == [code]

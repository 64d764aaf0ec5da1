"""Presets in the admin: the form, its preview, and the re-making of old uploads."""

import base64
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from conversions import admin_previews, services
from conversions.forms import PresetForm, PreviewForm
from conversions.models import Preset, Remake, RemakeState, Upload, UploadState
from conversions.previews import SAMPLES
from tenants.models import User
from tests.cast import PASSWORD, Cast
from tests.conversions.watermarks import png

pytestmark = pytest.mark.django_db
PREVIEW = "/admin/conversions/preset/preview/"


@pytest.fixture
def operator(cast: Cast) -> Client:
    services.presets_seed(now=timezone.now())
    User.objects.create_superuser("operator@example.com", PASSWORD)
    client = Client()
    assert client.login(email="operator@example.com", password=PASSWORD)
    return client


def posted(form: Any) -> dict[str, Any]:
    """Return what a browser sends back of a preset's form without touching it."""
    data = {field.html_name: field.value() for field in form}
    data["watermark-kept"] = data.pop("watermark")
    return {
        name: value
        for name, value in data.items()
        if value not in (None, "") and value is not False
    }


def fields(**changes: Any) -> dict[str, Any]:
    """Return what the page of the preset `web` posts for its preview."""
    return posted(PreviewForm(instance=Preset.objects.get(code="web"))) | changes


def change(operator: Client, **changes: Any) -> Any:
    """Change the preset `web` by its form; return the answer."""
    preset = Preset.objects.get(code="web")
    address = reverse("admin:conversions_preset_change", args=[preset.pk])
    page = operator.get(address)
    return operator.post(address, posted(page.context["adminform"].form) | changes)


def errors(answer: Any) -> dict[str, list[str]]:
    """Return what the form said, by its fields."""
    form = answer.context["adminform"].form
    return {name: list(texts) for name, texts in form.errors.items()}


def test_a_preset_is_changed_and_its_code_is_not(operator: Client) -> None:
    assert change(operator, width="900", sharpen="80", code="other").status_code == 302
    preset = Preset.objects.get(code="web")
    assert (preset.width, preset.sharpen, preset.version) == (900, 80, 2)
    assert change(operator, name="For the web").status_code == 302
    preset.refresh_from_db()
    assert (preset.name, preset.version) == ("For the web", 2)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"width": ""}, "width", "Give a width, a height, or both."),
        ({"fit": "cover"}, "height", "To fill a box, it needs a width and a height."),
        ({"format": "csv"}, "format", "Texts do not become pictures, nor pictures texts."),
        ({"background": "white"}, "background", "Write a colour as #rrggbb."),
        ({"quality": "101"}, "quality", "less than or equal to 100"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    operator: Client, changes: dict[str, str], field: str, text: str
) -> None:
    said = errors(change(operator, **changes))
    assert list(said) == [field]
    assert text in said[field][0]
    assert Preset.objects.get(code="web").version == 1


def test_a_watermark_outlives_an_error_elsewhere(operator: Client) -> None:
    mark = SimpleUploadedFile("mark.png", png(), "image/png")
    answer = change(operator, watermark=mark, width="0")
    assert list(errors(answer)) == ["width"]
    kept = re.search('name="watermark-kept" value="([^"]+)"', answer.content.decode())
    assert kept is not None
    assert change(operator, **{"watermark-kept": kept[1]}).status_code == 302
    assert bytes(Preset.objects.get(code="web").watermark or b"") == png()


def test_a_watermark_is_replaced_and_removed(operator: Client) -> None:
    for colour in ("red", "blue"):
        mark = SimpleUploadedFile("mark.png", png(colour), "image/png")
        assert change(operator, watermark=mark).status_code == 302
        assert bytes(Preset.objects.get(code="web").watermark or b"") == png(colour)
    assert change(operator).status_code == 302
    assert Preset.objects.get(code="web").version == 3
    no_mark = SimpleUploadedFile("mark.png", b"GIF89a", "image/png")
    assert "PNG" in errors(change(operator, watermark=no_mark))["watermark"][0]
    assert change(operator, **{"watermark-remove": "on"}).status_code == 302
    assert Preset.objects.get(code="web").watermark is None


@pytest.mark.parametrize("kept", ["no base64!", base64.b64encode(b"no PNG").decode()])
def test_a_kept_watermark_is_checked_as_a_new_one_is(kept: str) -> None:
    form = PreviewForm({"watermark-kept": kept}, {})
    assert "PNG" in form.errors["watermark"][0]
    assert form["watermark"].value() == ""


@pytest.mark.parametrize("code", [code for code, each in SAMPLES.items() if each.kind == "image"])
def test_the_preview_is_what_the_functions_make(operator: Client, code: str) -> None:
    answer = operator.post(PREVIEW, fields(width="120", sample=code))
    made = answer.context["made"]
    assert (made.variant.format, made.variant.width) == ("JPEG", 120)
    with Image.open(io.BytesIO(made.variant.data)) as picture:
        assert picture.size == (made.variant.width, made.variant.height)
    assert base64.b64encode(made.variant.data).decode() in answer.content.decode()


def test_the_preview_lays_a_watermark_over_that_was_never_saved(operator: Client) -> None:
    mark = SimpleUploadedFile("mark.png", png("#ff0000"), "image/png")
    plain = fields(width="200", format="png", sample="page", watermark_opacity="100")
    marked = operator.post(PREVIEW, plain | {"watermark": mark}).context["made"]
    with Image.open(io.BytesIO(marked.variant.data)) as picture:
        width, height = picture.size
        corner = picture.convert("RGB").crop((width - 45, height - 25, width, height))
        assert (255, 0, 0) in {colour for _count, colour in corner.getcolors(2000) or []}
    assert Preset.objects.get(code="web").watermark is None


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"applies_to": "pdf", "width": "100"}, ("JPEG", 100)),
        ({"applies_to": "text", "format": "json"}, ("JSON", None)),
    ],
)
def test_each_kind_of_file_has_its_sample(
    operator: Client, changes: dict[str, str], shown: tuple[str, int | None]
) -> None:
    variant = operator.post(PREVIEW, fields(sample="landscape", **changes)).context["made"].variant
    assert (variant.format, variant.width) == shown


def test_a_picture_of_ones_own_is_refused_as_an_upload_would_be(operator: Client) -> None:
    def answer(data: bytes | None) -> Any:
        own = {"picture": SimpleUploadedFile("mine", data)} if data is not None else {}
        return operator.post(PREVIEW, fields(sample="own", **own)).context

    assert answer(png("red", (300, 200)))["made"].source.width == 300
    assert "Choose a file" in answer(None)["refusal"]
    assert "damaged" in answer(png("red", (300, 200))[:-40])["refusal"]
    assert "kind" in answer(b"%!PS-Adobe-3.0")["refusal"]
    assert "nothing of files of this kind" in answer(b"just a text\n")["refusal"]


def test_what_is_too_large_is_not_read_into_memory(
    operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_previews, "MOST_POSTED", 10_000)
    own = SimpleUploadedFile("mine", bytes(20_000))
    answer = operator.post(PREVIEW, fields(sample="own", picture=own))
    assert "20 MB" in answer.context["refusal"]


def test_a_preview_of_wrong_fields_says_what_is_wrong(operator: Client) -> None:
    answer = operator.post(PREVIEW, fields(width="", quality="0"))
    text = answer.content.decode()
    assert 'data-error-of="width"' in text
    assert 'data-error-of="quality"' in text


def test_only_operators_have_previews_and_only_with_a_token(operator: Client, cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.login(email="operator@example.com", password=PASSWORD)
    assert strict.post(PREVIEW, fields()).status_code == 403
    assert operator.get(PREVIEW).status_code == 405
    member = Client()
    member.login(email="alice@example.com", password=PASSWORD)
    assert member.post(PREVIEW, fields()).status_code == 302
    User.objects.filter(email="alice@example.com").update(is_staff=True)
    assert member.post(PREVIEW, fields()).status_code == 403
    assert member.get(reverse("admin:conversions_remake_begin")).status_code == 403


def test_samples_are_the_same_each_time() -> None:
    for sample in SAMPLES.values():
        if sample.kind == "image":
            assert sample.draw() == sample.data


def test_every_sample_is_served(operator: Client) -> None:
    for code, sample in SAMPLES.items():
        answer = operator.get(reverse("admin:conversions_preset_sample", args=[code]))
        assert (answer.content, answer["Content-Type"]) == (sample.data, sample.media_type)
    assert operator.get("/admin/conversions/preset/samples/nothing/").status_code == 404


def test_fields_that_are_read_only_need_no_form(operator: Client, cast: Cast) -> None:
    assert "data-when" in str(PresetForm()["width"])
    cast.bob.is_staff = True
    cast.bob.save()
    cast.bob.user_permissions.add(Permission.objects.get(codename="view_preset"))
    viewer = Client()
    viewer.login(email="bob@example.com", password=PASSWORD)
    preset = Preset.objects.get(code="web")
    page = viewer.get(reverse("admin:conversions_preset_change", args=[preset.pk]))
    assert page.status_code == 200
    assert "preview-controls" not in page.content.decode()


def test_a_changed_preset_offers_to_be_made_of_old_uploads(operator: Client, cast: Cast) -> None:
    Upload.objects.create(
        tenant=cast.alice_corp,
        filename="old.jpg",
        state=UploadState.DONE,
        format="JPEG",
        created_at=timezone.now() - timedelta(days=1),
    )
    change(operator, width="900")
    preset = Preset.objects.get(code="web")
    begin = f"{reverse('admin:conversions_remake_begin')}?preset={preset.pk}"
    assert begin in operator.get(reverse("admin:conversions_preset_changelist")).content.decode()
    assert operator.get(begin).context["total"] == 1
    answer = operator.post(begin)
    assert answer["Location"].endswith(f"/preset/{preset.pk}/change/")
    remake = Remake.objects.get()
    assert (remake.total, remake.preset_version) == (1, 2)
    operator.post(begin)  # again: it is said that it runs already
    assert Remake.objects.count() == 1
    of_preset = reverse("admin:conversions_remake_of_preset", args=[preset.pk])
    assert "Cancel the run" in operator.get(of_preset).content.decode()
    operator.post(reverse("admin:conversions_remake_cancel", args=[remake.pk]))
    remake.refresh_from_db()
    assert remake.state == RemakeState.CANCELLED
    assert operator.get(reverse("admin:conversions_remake_change", args=[remake.pk])).status_code


def test_a_list_of_settled_runs_counts_nothing(operator: Client) -> None:
    preset, now = Preset.objects.get(code="web"), timezone.now()
    settled = {"state": RemakeState.DONE, "total": 9, "looked_at": 9, "settled_at": now}
    for _ in range(11):
        Remake.objects.create(
            preset=preset, preset_version=1, created_at=now, checked_at=now, moved_at=now, **settled
        )
    lists = reverse("admin:conversions_remake_changelist")
    with CaptureQueriesContext(connection) as queries:
        assert "100 %" in operator.get(lists).content.decode()
    assert not [one for one in queries if "conversions_conversion" in one["sql"]]


def test_several_presets_are_chosen_in_the_list(operator: Client) -> None:
    chosen = list(Preset.objects.values_list("pk", flat=True))
    lists = reverse("admin:conversions_preset_changelist")
    answer = operator.post(lists, {"action": "remake", "_selected_action": chosen})
    assert answer.status_code == 302
    operator.post(answer["Location"])
    assert Remake.objects.filter(state=RemakeState.RUNNING).count() == len(chosen)

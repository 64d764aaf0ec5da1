"""The plan of work: made once, said once, in as many units as the kind of file wants."""

import json
import uuid
from typing import Any

import pytest

from conversions import backend
from conversions.backend.uploads import upload_forgotten
from conversions.filetypes.picture import Picture
from conversions.imaging import Recipe
from conversions.serverless.functions import plan, planning, records
from tests.conversions.reports import reported

pytestmark = pytest.mark.usefixtures("on_lambda")
PRESETS = [
    {"code": "thumb", "version": 1, "format": "webp", "width": 200},
    {"code": "same", "version": 3, "format": "original", "width": 100},
    {"code": "web", "version": 2, "format": "jpeg", "width": 1280, "applies_to": "image"},
]


@pytest.fixture
def source(on_lambda: None) -> dict[str, Any]:
    """What the inspection found."""
    tenant, upload = uuid.uuid4(), uuid.uuid4()
    found = {
        "bucket": backend.outputs()["FilesBucket"],
        "key": f"uploads/{tenant}/{upload}/source",
        "tenant": str(tenant),
        "upload": str(upload),
        "etag": '"red"',
        "bytes": 5,
        "file_type": "image",
        "format": "PNG",
        "width": 40,
        "height": 30,
        "frames": 1,
        "is_table": False,
    }
    records.upload_inspected(source=found)
    return found


@pytest.fixture
def in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variants are made together at most."""

    def pairs(_kind: Picture, _header: Any, recipes: list[Recipe]) -> list[list[Recipe]]:
        return [recipes[start : start + 2] for start in range(0, len(recipes), 2)]

    monkeypatch.setattr(Picture, "plan", pairs)


def made(source: dict[str, Any], name: str, *, of: str) -> None:
    variant = {"key": name, "bytes": 1, "width": 1, "height": 1, "preset": name, "version": 1}
    records.variant_made(
        tenant=source["tenant"], upload=source["upload"], name=name, variant={**variant, "of": of}
    )


def planned(source: dict[str, Any], *, adds: bool = False) -> list[list[str]]:
    """Plan, and return the names of the variants of each unit."""
    units = planning.plan(source=source, presets=PRESETS, adds=adds)
    return [unit["names"] for unit in units]


def state(source: dict[str, Any]) -> str:
    return records.state(records.upload(tenant=source["tenant"], upload=source["upload"]))


@pytest.mark.usefixtures("in_pairs")
def test_the_work_is_grouped_and_said_once(source: dict[str, Any]) -> None:
    units = planning.plan(source=source, presets=PRESETS, adds=False)
    assert [unit["names"] for unit in units] == [["thumb-v1.webp", "same-v3.png"], ["web-v2.jpg"]]
    assert [(unit["unit"], unit["units"]) for unit in units] == [(1, 2), (2, 2)]
    assert [preset["format"] for unit in units for preset in unit["presets"]] == [
        "webp", "png", "jpeg",
    ]  # fmt: skip
    assert {unit["source"]["plan"] for unit in units} == {1}
    (said,) = reported(source)
    assert (said["kind"], said["plan"], said["file_type"]) == ("started", 1, "image")
    assert said["is_table"] is False
    assert said["expected"] == ["same-v3.png", "thumb-v1.webp", "web-v2.jpg"]
    assert state(source) == "processing"


def test_a_plan_that_is_made_twice_asks_for_the_same(source: dict[str, Any]) -> None:
    assert planned(source) == planned(source)
    assert [said["plan"] for said in reported(source)] == [1, 2]


def test_what_is_there_of_this_very_file_is_only_reported(source: dict[str, Any]) -> None:
    planned(source)
    made(source, "thumb-v1.webp", of='"red"')
    made(source, "web-v2.jpg", of='"blue"')  # of a file that was there before
    records.variants_failed(
        tenant=source["tenant"], upload=source["upload"], names=["same-v3.png"], code="storage"
    )
    reported(source)
    assert planned(source) == [["same-v3.png", "web-v2.jpg"]]
    said = {report["kind"]: report for report in reported(source)}
    assert said["started"]["to_make"] == ["same-v3.png", "web-v2.jpg"]
    assert len(said["started"]["expected"]) == 3
    assert (said["variant"]["preset"], said["variant"]["of"]) == ("thumb-v1.webp", '"red"')
    assert state(source) == "processing"  # what had failed is tried again


def test_more_is_awaited_beside_what_is(source: dict[str, Any]) -> None:
    planned(source)
    more = [{"code": "tiny", "version": 1, "format": "gif", "width": 8}]
    (unit,) = planning.plan(source=source, presets=more, adds=True)
    assert unit["names"] == ["tiny-v1.gif"]
    said = reported(source)[-1]
    assert (said["plan"], len(said["expected"])) == (2, 4)


def test_a_newer_version_of_a_preset_takes_the_olders_place(source: dict[str, Any]) -> None:
    planned(source)
    made(source, "same-v3.png", of='"red"')
    made(source, "web-v2.jpg", of='"red"')
    records.variants_failed(
        tenant=source["tenant"], upload=source["upload"], names=["thumb-v1.webp"], code="storage"
    )
    assert state(source) == "failed"
    newer = [{**PRESETS[0], "version": 2, "format": "avif"}]
    (unit,) = planning.plan(source=source, presets=newer, adds=True)
    assert unit["names"] == ["thumb-v2.avif"]
    said = reported(source)[-1]
    assert said["expected"] == ["same-v3.png", "thumb-v2.avif", "web-v2.jpg"]
    assert state(source) == "processing"
    assert planning.plan(source=source, presets=PRESETS, adds=True) == []  # an older one comes late
    made(source, "thumb-v2.avif", of='"red"')
    assert state(source) == "done"
    assert records.failures(records.upload(tenant=source["tenant"], upload=source["upload"])) == {}


def test_versions_are_numbers_and_codes_may_look_like_versions() -> None:
    assert records.newest(["a-v9.png", "a-v10.png", "a-v1-v2.png"]) == {"a-v10.png", "a-v1-v2.png"}


def test_some_variants_may_fail_while_others_are_there(source: dict[str, Any]) -> None:
    planned(source)
    made(source, "thumb-v1.webp", of='"red"')
    made(source, "web-v2.jpg", of='"red"')
    assert state(source) == "processing"
    names = ["same-v3.png", "web-v2.jpg"]  # the latter by an earlier try
    records.variants_failed(
        tenant=source["tenant"], upload=source["upload"], names=names, code="storage"
    )
    assert state(source) == "failed"
    item = records.upload(tenant=source["tenant"], upload=source["upload"])
    assert list(records.failures(item)) == ["same-v3.png"]


def test_nothing_is_planned_of_what_was_deleted(source: dict[str, Any]) -> None:
    upload_forgotten(tenant=source["tenant"], upload=source["upload"], expires=2_000_000_000)
    event = {"source": source, "presets": json.dumps(PRESETS)}
    assert plan.handler(event, None) == {"units": []}
    assert reported(source) == []


@pytest.mark.parametrize(
    ("wanted", "planned_names"), [(["web", "gone"], [["web-v2.jpg"]]), (["gone"], [])]
)
def test_only_what_was_asked_for_is_planned(
    source: dict[str, Any], wanted: list[str], planned_names: list[list[str]]
) -> None:
    event = {"source": {**source, "requested": wanted}, "presets": json.dumps(PRESETS)}
    units = plan.handler(event, None)["units"]
    assert [unit["names"] for unit in units] == planned_names
    assert state(source) == ("processing" if units else "done")

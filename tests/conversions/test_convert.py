"""What comes again is converted only as far as it was not; what never works is told, with why."""

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from PIL import Image

from conversions import backend
from conversions.filetypes import Header
from conversions.filetypes.picture import Picture
from conversions.imaging import Format, Recipe, VariantRefused, Watermark, fan_out, memory
from conversions.serverless.functions import convert, records
from tests.conversions.reports import reported
from tests.conversions.storage import put

pytestmark = pytest.mark.usefixtures("on_lambda")
RECIPES = [Recipe("thumb", 1, Format.JPEG, width=10), Recipe("web", 1, Format.WEBP, width=20)]
Convert = Callable[..., dict[str, Any]]
DONE: dict[str, Any] = {"batchItemFailures": []}
GIVEN_BACK = {"batchItemFailures": [{"itemIdentifier": "a"}]}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is made, in whatever order it is ready."""
    seen: list[str] = []
    real = Picture.convert

    def note(*args: Any, **kwargs: Any) -> Any:
        for recipe, variant in real(*args, **kwargs):
            seen.append(recipe.code)
            yield recipe, variant

    monkeypatch.setattr(Picture, "convert", note)
    return seen


@pytest.fixture
def source(on_lambda: None) -> dict[str, Any]:
    """A file that was inspected."""
    tenant, upload = str(uuid.uuid4()), str(uuid.uuid4())
    bucket, key = backend.outputs()["FilesBucket"], f"uploads/{tenant}/{upload}/source"
    put(key, picture("red"))
    place = {"bucket": bucket, "key": key, "tenant": tenant, "upload": upload}
    found = {"etag": "", "bytes": 9, "file_type": "image", **Header("PNG", 40, 30).to_mapping()}
    records.upload_inspected(source={**place, **found})
    return {**place, **found, "plan": 1}


@pytest.fixture
def convert_with(source: dict[str, Any]) -> Convert:
    """Convert the file, as Lambda has it done."""

    def convert_with(recipes: list[Recipe], *, attempt: int = 1) -> dict[str, Any]:
        work = {
            "source": source,
            "presets": [recipe.to_mapping() for recipe in recipes],
            "names": [recipe.name for recipe in recipes],
            "unit": 1,
            "units": 1,
        }
        message = {
            "messageId": "a",
            "body": json.dumps(work),
            "attributes": {"ApproximateReceiveCount": str(attempt)},
        }
        answer: dict[str, Any] = convert.handler({"Records": [message]}, None)
        return answer

    return convert_with


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


def failures(source: dict[str, Any]) -> dict[str, str]:
    item = records.upload(tenant=source["tenant"], upload=source["upload"])
    return {name: it["code"] for name, it in records.failures(item).items()}


def test_a_repeat_makes_what_is_missing_and_reports_all(
    source: dict[str, Any], convert_with: Convert, made: list[str]
) -> None:
    for recipes in (RECIPES[:1], RECIPES, RECIPES):
        assert convert_with(recipes) == DONE
    assert made == ["thumb", "web"]
    said = sorted(report["preset"] for report in reported(source))
    assert said == ["thumb", "thumb", "thumb", "web", "web"]
    # The form is good for an hour, and may bring another file.
    put(source["key"], picture("blue"))
    convert_with(RECIPES)
    assert sorted(made) == ["thumb", "thumb", "web", "web"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "storage"),
        (ZeroDivisionError(), "unexpected"),
    ],
)
def test_only_the_last_try_tells_why(
    source: dict[str, Any],
    convert_with: Convert,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
) -> None:
    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr(Picture, "convert", broken)
    for attempt in range(1, convert.TRIES):
        assert convert_with(RECIPES, attempt=attempt) == GIVEN_BACK
    assert reported(source) == []
    assert convert_with(RECIPES, attempt=convert.TRIES) == GIVEN_BACK
    (told,) = reported(source)
    assert (told["kind"], told["plan"], told["code"]) == ("unmade", 1, code)
    assert told["names"] == ["thumb-v1.jpg", "web-v1.webp"]
    assert failures(source) == dict.fromkeys(told["names"], code)


def test_variants_that_are_refused_leave_the_file_and_other_units_alone(
    source: dict[str, Any], convert_with: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_MEMORY", 30_000)
    monkeypatch.setattr(fan_out, "processors", lambda: 1)
    wide = Recipe("wide", 1, Format.AVIF, width=40)
    assert convert_with([wide]) == DONE
    assert convert_with(RECIPES[:1]) == DONE
    unmade, variant = reported(source)
    assert (unmade["kind"], unmade["code"]) == ("unmade", "too_much_memory")
    assert (variant["kind"], variant["preset"]) == ("variant", "thumb")
    assert failures(source) == {wide.name: "too_much_memory"}


def test_what_was_too_slow_goes_on_where_it_got_further(
    source: dict[str, Any], convert_with: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Picture.convert

    def slow(kind: Picture, data: bytes, recipes: list[Recipe], **options: Any) -> Any:
        yield from real(kind, data, recipes[:1], **options)
        raise VariantRefused("too_slow", "It takes too long.")

    monkeypatch.setattr(Picture, "convert", slow)
    assert convert_with(RECIPES) == GIVEN_BACK
    assert failures(source) == {}
    monkeypatch.setattr(convert, "MOST_SECONDS", 0)
    monkeypatch.setattr(Picture, "convert", real)
    assert convert_with(RECIPES, attempt=2) == DONE
    assert failures(source)[RECIPES[1].name] == "too_slow"
    assert [report["kind"] for report in reported(source)] == ["variant", "variant", "unmade"]


def test_where_one_variant_cannot_be_stored_no_other_is_made(
    convert_with: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def never_ending(*_args: Any, **_kwargs: Any) -> Any:
        try:
            while True:
                yield RECIPES[0], "no variant"
        finally:
            ended.append("closed")

    monkeypatch.setattr(Picture, "convert", never_ending)
    assert convert_with(RECIPES) == GIVEN_BACK
    assert ended == ["closed"]


def test_a_file_that_is_refused_does_not_come_again(
    source: dict[str, Any], convert_with: Convert
) -> None:
    put(source["key"], picture("red")[:50])
    assert convert_with(RECIPES) == DONE
    (told,) = reported(source)
    assert (told["kind"], told["code"]) == ("refused", "damaged")


def test_a_watermark_that_is_not_there_yet_is_waited_for(
    source: dict[str, Any], convert_with: Convert, key_id: str
) -> None:
    marked = Recipe("marked", 1, Format.PNG, width=20, watermark=Watermark(key=key_id))
    assert convert_with([marked]) == GIVEN_BACK
    put(f"watermarks/{key_id}.png", picture("white"))
    assert convert_with([marked]) == DONE
    # It is read once: its name is what its bytes are.
    backend.client("s3").delete_object(Bucket=source["bucket"], Key=f"watermarks/{key_id}.png")
    marked = Recipe("marked", 2, Format.PNG, width=20, watermark=Watermark(key=key_id))
    assert convert_with([marked]) == DONE


def test_each_try_tells_what_it_took_whatever_became_of_it(
    source: dict[str, Any], convert_with: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
    assert convert_with(RECIPES[:1]) == DONE

    def broken(*_args: Any, **_kwargs: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Picture, "convert", broken)
    assert convert_with(RECIPES, attempt=2) == GIVEN_BACK
    told = [report for report in reported(source) if report["kind"] == "compute"]
    assert {report["key"] for report in told} == {"a 1", "a 2"}
    for report in told:
        assert report["tenant"] == source["tenant"]
        milliseconds, rest = divmod(report["megabyte_milliseconds"], 1769)
        assert (milliseconds > 0, rest) == (True, 0)


def test_work_is_done_where_nobody_can_be_told_what_it_took(
    source: dict[str, Any], convert_with: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
    real = records.report

    def report(result: dict[str, Any]) -> None:
        if result["kind"] == "compute":
            raise EndpointConnectionError(endpoint_url="http://nowhere")
        real(result)

    monkeypatch.setattr(records, "report", report)
    assert convert_with(RECIPES[:1]) == DONE
    assert [report["kind"] for report in reported(source)] == ["variant"]

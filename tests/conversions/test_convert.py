"""What comes again is converted only as far as it was not."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from PIL import Image

from conversions import backend
from conversions.imaging import Format, Recipe, Variant, make_variants
from conversions.serverless.functions import convert

pytestmark = pytest.mark.usefixtures("on_lambda")
RECIPES = [Recipe("thumb", 1, Format.JPEG, width=10), Recipe("web", 1, Format.WEBP, width=20)]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is made, in order of the messages."""
    seen: list[str] = []

    def note(data: bytes, recipes: Sequence[Recipe]) -> Iterator[tuple[Recipe, Variant]]:
        seen.extend(recipe.code for recipe in recipes)
        return make_variants(data, recipes)

    monkeypatch.setattr(convert, "make_variants", note)
    return seen


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


def reported(upload: str) -> list[str]:
    """Return which variants of an upload were reported; the queue is empty after that."""
    found = []
    while results := backend.results_receive(wait_seconds=1):
        for result in results:
            if result.body.get("upload") == upload and result.body["kind"] == "variant":
                found.append(result.body["preset"])
            backend.result_delete(result=result)
    return sorted(found)


def test_a_repeat_makes_what_is_missing_and_reports_all(key_id: str, made: list[str]) -> None:
    bucket, key = backend.outputs()["FilesBucket"], f"sources/acme/{key_id}/source"

    def convert_with(recipes: list[Recipe]) -> dict[str, Any]:
        work = {
            "source": {"bucket": bucket, "key": key, "tenant": "acme", "upload": key_id},
            "presets": json.dumps([recipe.to_mapping() for recipe in recipes]),
        }
        message = {"messageId": "a", "body": json.dumps(work)}
        answer: dict[str, Any] = convert.handler({"Records": [message]}, None)
        return answer

    backend.client("s3").put_object(Bucket=bucket, Key=key, Body=picture("red"))
    for recipes in (RECIPES[:1], RECIPES, RECIPES):
        assert convert_with(recipes) == {"batchItemFailures": []}
    assert made == ["thumb", "web"]
    assert reported(key_id) == ["thumb", "thumb", "thumb", "web", "web"]
    # The form is good for an hour, and may bring another file.
    backend.client("s3").put_object(Bucket=bucket, Key=key, Body=picture("blue"))
    convert_with(RECIPES)
    assert made == ["thumb", "web", "thumb", "web"]

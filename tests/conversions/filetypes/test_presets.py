"""A preset's row, as the recipe of the kind of file that it applies to."""

import ast
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from conversions import filetypes, imaging, services
from conversions.filetypes import AnyRecipe, PageRecipe, TextRecipe, recipe_of
from conversions.imaging import Recipe
from conversions.models import AppliesTo, ConversionError, Format, LineEndings, Preset, UploadError
from conversions.serverless.functions import records

pytestmark = pytest.mark.django_db


def saved(**fields: object) -> Preset:
    preset = Preset(code="t", name="T", **fields)
    return services.preset_save(preset=preset, now=timezone.now())


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"format": Format.JPEG, "width": 10}, Recipe),
        ({"applies_to": AppliesTo.PDF, "format": Format.ORIGINAL, "width": 10}, PageRecipe),
        ({"applies_to": AppliesTo.TEXT, "format": Format.ORIGINAL}, TextRecipe),
        ({"applies_to": AppliesTo.TEXT, "format": Format.CSV, "line_endings": LineEndings.CRLF},
         TextRecipe),
    ],
)  # fmt: skip
def test_a_preset_is_the_recipe_that_a_message_carries(
    fields: dict[str, object], kind: type[AnyRecipe]
) -> None:
    recipe = saved(**fields).recipe()
    assert type(recipe) is kind
    assert recipe_of(recipe.to_mapping()) == recipe
    assert recipe.format.value == fields["format"]


@pytest.mark.parametrize(
    "fields",
    [
        {"format": Format.TXT, "width": 10},
        {"applies_to": AppliesTo.PDF, "format": Format.JSON, "width": 10},
        {"applies_to": AppliesTo.PDF, "format": Format.JPEG},
        {"applies_to": AppliesTo.TEXT, "format": Format.JPEG},
    ],
)
def test_a_preset_whose_format_or_sides_do_not_fit_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        saved(**fields)


def test_what_files_are_refused_for_has_a_text_in_the_portal() -> None:
    codes: dict[str, set[str]] = {"FileRefused": set(), "VariantRefused": set()}
    for package in (filetypes, imaging):
        for source in Path(package.__path__[0]).rglob("*.py"):
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                match node:
                    case ast.Call(func=ast.Name(id=kind), args=[ast.Constant(str(code)), *_]):
                        codes.get(kind, set()).add(code)
    files, variants = codes.values()
    assert {"empty", "damaged", "locked", "not_a_table"} <= files <= set(UploadError.values)
    assert {"too_much_memory", "too_slow"} == variants <= set(ConversionError.values)
    assert variants <= records.REASONS.keys()

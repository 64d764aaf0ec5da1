"""The plan of work on a file, made once: which variants, and which of them are made together.

Whoever asks for variants has them planned here: a file that arrived (plan.py), and a job that wants
more of one that is there (jobs.py). What is expected is noted, and reported with the plan's number:
so the portal can tell an old plan's news from a newer one's, whichever comes first.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from conversions import filetypes
from conversions.serverless.functions import records

Message = dict[str, Any]


def plan(
    *, source: Mapping[str, Any], presets: Sequence[Mapping[str, Any]], adds: bool
) -> list[Message]:
    """Plan the variants of a file by those presets that apply to it, beside those of earlier plans
    where it `adds`. Return a message for each unit of work.

    `source` is what was found in the file (records.SOURCE), and where the upload came from. What is
    there already, of this very file, is not made again, only reported. Nor is what a newer version
    of its preset has replaced. A plan may be made twice: its units then write the same objects.
    """
    tenant, upload = source["tenant"], source["upload"]
    kind = filetypes.by_code(source["file_type"])
    header = filetypes.Header.from_mapping(source)
    recipes = kind.applicable(header, [filetypes.recipe_of(preset) for preset in presets])
    there = records.variants(records.upload(tenant=tenant, upload=upload))
    missing = [recipe for recipe in recipes if recipe.name not in there]
    item = records.upload_planned(
        tenant=tenant,
        upload=upload,
        expected=[recipe.name for recipe in recipes],
        to_make=[recipe.name for recipe in missing],
        adds=adds,
    )
    source = {**source, "plan": int(item["plans"])}
    expected = records.newest(item.get("expected", ()))
    missing = [recipe for recipe in missing if recipe.name in expected]
    names = {"expected": sorted(expected), "to_make": [recipe.name for recipe in missing]}
    made = [there[recipe.name] for recipe in recipes if recipe.name in there]
    records.report_all(
        [
            records.report_of(source, "started", **names),
            *(records.report_of_variant(source, variant) for variant in made),
        ]
    )
    units = kind.plan(header, missing)
    return [
        {
            "source": source,
            "presets": [recipe.to_mapping() for recipe in unit],
            "names": [recipe.name for recipe in unit],
            "unit": number,
            "units": len(units),
        }
        for number, unit in enumerate(units, start=1)
    ]

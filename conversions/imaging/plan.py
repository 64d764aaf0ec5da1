"""Divide a fan-out into units of work, each for one call of a function.

Every unit reads and decodes the source again, so that there are no more of them than it takes.
"""

from collections.abc import Sequence

from conversions.imaging import cost
from conversions.imaging.geometry import geometry
from conversions.imaging.header import Header
from conversions.imaging.moving.write import moves
from conversions.imaging.recipe import Recipe

_UNIT = 2_000.0  # milliseconds of one processor: what one call may well do by itself
_WORTH = 4.0  # how many times what decoding takes a unit has at least, apart from that


def plan_units(header: Header, recipes: Sequence[Recipe]) -> list[list[Recipe]]:
    """Return the recipes in units that take about as long as each other, every recipe once.

    The same recipes give the same units, in whatever order they come.
    """
    if not recipes:
        return []
    costs = {recipe: _cost(header, recipe) for recipe in recipes}
    most = max(_UNIT, _WORTH * cost.decoding(header))
    count = min(len(recipes), -int(-sum(costs.values()) // most))
    units: list[list[Recipe]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for recipe in sorted(recipes, key=lambda each: (-costs[each], each.name)):
        lightest = loads.index(min(loads))
        units[lightest].append(recipe)
        loads[lightest] += costs[recipe]
    return units


def _cost(header: Header, recipe: Recipe) -> float:
    recipe = recipe.for_source(header.format)
    size = geometry((header.width, header.height), recipe)
    once = cost.encoding(recipe, size.final_size) + cost.resizing(size.size, size.size)
    # Each film decodes the frames for itself, one by one.
    return (once + cost.decoding(header)) * header.frames if moves(header, recipe) else once

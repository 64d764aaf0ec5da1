"""Sentences that are kept as data, and put into words when they are shown: so a row that was
written at night says it in the language of whoever reads it.

The English sentence is its own code. Where it is worded anew one day, rows from before say it in
English still.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext, override

from billing.money import display


@dataclass(frozen=True)
class Money:
    """An amount in minor units of its currency."""

    amount: int
    currency: str

    def __str__(self) -> str:
        return display(self.amount, self.currency)


@dataclass(frozen=True)
class Words:
    """A sentence: `text`, which `gettext_noop` marks where it is written, with `values` filled in:
    numbers, strings, Money, or Words. `str()` says it in the language that is active,
    `dataclasses.asdict` makes JSON of it, and `words_of` reads that.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return gettext(self.text) % self.values

    @property
    def english(self) -> str:
        """What logs and commands say."""
        with override("en"):
            return str(self)


def words_of(stored: Mapping[str, Any]) -> Words:
    """Return the sentence that was kept as JSON."""
    return Words(stored["text"], {name: _value(it) for name, it in stored["values"].items()})


def label_of(choice: TextChoices) -> Words:
    """Return the name that people have for a choice."""
    with override("en"):
        return Words(str(choice.label))


def _value(stored: Any) -> Any:
    if not isinstance(stored, dict):
        return stored
    return words_of(stored) if "text" in stored else Money(**stored)

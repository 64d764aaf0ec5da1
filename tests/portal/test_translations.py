"""Every catalogue says everything, in words that can be filled in, and compiles without gettext."""

import re
import shutil
from collections import Counter
from collections.abc import Set
from io import BytesIO, StringIO
from pathlib import Path

import allauth
import pytest
from babel.messages.catalog import Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import translation
from django.utils.translation import gettext, ngettext
from django.utils.translation.template import templatize

LOCALE, LIBRARIES = map(Path, settings.LOCALE_PATHS)
OURS = sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))
THEIRS = sorted(LIBRARIES.glob("*/LC_MESSAGES/django.po"))
CATALOGUES = OURS + THEIRS

LAZY = {"gettext_lazy": None, "ngettext_lazy": (1, 2), "gettext_noop": None}

# What must come through a translation unharmed: what Python fills in, and the tags of HTML.
KEPT = re.compile(r"%\(\w+\)[a-z]|%[ds]|</?\w+[^>]*>")


def _name(catalogue: Path) -> str:
    return "/".join(catalogue.relative_to(LOCALE).parts[:-2])


def _messages(catalogue: Path) -> list[Message]:
    with catalogue.open("rb") as file:
        messages = read_po(file, locale=catalogue.parts[-3], abort_invalid=True)
    return [message for message in messages if message.id]


def _forms(text: str | list[str] | tuple[str, ...] | None) -> list[str]:
    """Return the plural forms of a msgid or msgstr, or its only one."""
    return [text or ""] if isinstance(text, str | None) else list(text)


def _said(catalogue: Path) -> set[str]:
    return {_forms(message.id)[0] for message in _messages(catalogue)}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the Japanese catalogue, not compiled, in a folder of its own."""
    copy = tmp_path / "ja" / "LC_MESSAGES" / "django.po"
    copy.parent.mkdir(parents=True)
    shutil.copy(LOCALE / "ja" / "LC_MESSAGES" / "django.po", copy)
    return copy


def _compile(tmp_path: Path) -> str:
    """Run the command over this folder; return what it said."""
    said = StringIO()
    with override_settings(LOCALE_PATHS=[tmp_path]):
        call_command("translations", stdout=said)
    return said.getvalue()


def test_every_offered_language_but_the_original_has_a_catalogue() -> None:
    offered = {code for code, _ in settings.LANGUAGES} - {"en"}
    for catalogues in (OURS, THEIRS):
        assert offered == {path.parts[-3] for path in catalogues} == {"ja"}


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=_name)
def test_nothing_is_left_untranslated_or_doubtful(catalogue: Path) -> None:
    messages = _messages(catalogue)
    assert messages
    assert [m.id for m in messages if m.fuzzy or not all(map(str.strip, _forms(m.string)))] == []


def _marked(*folders: Path, but: Set[str]) -> set[str]:
    """Return all that is marked for translation below these folders, `but` in those of such names;
    of plurals the singular.
    """
    found: set[str] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.suffix not in {".py", ".html", ".txt"} or but & set(inside.parts):
                continue
            text, method = path.read_text("utf-8"), "python"
            if path.suffix != ".py":
                # What this makes of a template is meant for xgettext: calls between letters X.
                text, method = templatize(text), "javascript"
            keywords = {"_": None, **DEFAULT_KEYWORDS, **LAZY}
            for _, message, *_rest in extract(method, BytesIO(text.encode()), keywords):
                found.add(message if isinstance(message, str) else message[0])
    return found


@pytest.mark.parametrize("catalogue", OURS, ids=_name)
def test_everything_that_is_marked_is_in_the_catalogue(catalogue: Path) -> None:
    names = ("billing", "conversions", "portal", "tenants", "templates")
    marked = _marked(*(Path(settings.BASE_DIR, name) for name in names), but={"migrations"})
    assert marked - _said(catalogue) == set()


@pytest.mark.parametrize("catalogue", THEIRS, ids=_name)
def test_what_the_libraries_mark_is_said_by_somebody(catalogue: Path) -> None:
    """By them, by Django, or by us; and we say nothing that they do not ask for any more."""
    names = ("unfold", "django_celery_beat", "account", "mfa", "usersessions")
    folders = [Path(apps.get_app_config(name).path) for name in names]
    folders += [Path(allauth.__file__).parent / "templates" / name for name in names[2:]]
    marked = _marked(*folders, but={"contrib", "management", "migrations", "tests"})
    said = _said(catalogue)
    with translation.override(catalogue.parts[-3]):
        silent = {text for text in marked - said if gettext(text) == text}
    assert (silent, said - marked) == (set(), set())


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=_name)
def test_placeholders_and_tags_are_those_of_the_original(catalogue: Path) -> None:
    changed = [
        (message.id, form)
        for message in _messages(catalogue)
        for form in _forms(message.string)
        if Counter(KEPT.findall(form)) != Counter(KEPT.findall(_forms(message.id)[-1]))
    ]
    assert changed == []


def test_a_compiled_catalogue_speaks(copied: Path, tmp_path: Path) -> None:
    assert _compile(tmp_path) == "Compiled the catalogue of ja.\n"
    with override_settings(LOCALE_PATHS=[tmp_path]), translation.override("ja"):
        assert gettext("API key") == "API キー"
        for count in (1, 2):  # Japanese has one form for both
            text = ngettext("%(shown)s request", "%(shown)s requests", count)
            assert text % {"shown": count} == f"{count} リクエスト"


def test_a_catalogue_is_compiled_again_only_after_a_change(copied: Path, tmp_path: Path) -> None:
    _compile(tmp_path)
    assert _compile(tmp_path) == ""
    copied.write_text(copied.read_text("utf-8").replace("API キー", "合言葉"), "utf-8")
    assert _compile(tmp_path) == "Compiled the catalogue of ja.\n"
    with override_settings(LOCALE_PATHS=[tmp_path]), translation.override("ja"):
        assert gettext("API key") == "合言葉"
    assert sorted(path.name for path in copied.parent.iterdir()) == ["django.mo", "django.po"]


def test_a_broken_catalogue_is_named_and_what_was_compiled_stays(
    copied: Path, tmp_path: Path
) -> None:
    _compile(tmp_path)
    compiled = copied.with_suffix(".mo").read_bytes()
    copied.write_text(copied.read_text("utf-8") + "\nno keyword of a catalogue\n", "utf-8")
    with pytest.raises(CommandError, match=re.escape(str(copied))):
        _compile(tmp_path)
    assert copied.with_suffix(".mo").read_bytes() == compiled

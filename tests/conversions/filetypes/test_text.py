"""Texts in any character set become UTF-8; tables change from CSV to JSON and back."""

import codecs
import csv
import io
import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversions.filetypes import Header, TextRecipe, by_code, identify, recipe_of, tables, text
from conversions.imaging import FileRefused

KIND = by_code("text")
JAPANESE = (
    "2024年度 売上報告書\r\n東京支店の売上は前年より増加しました。\r\nｶﾅとひらがな、漢字。\r\n"
)
CHINESE = "姓名,年龄,城市\n张伟,30,北京\n李娜,25,上海\n"
FRENCH = "Le garçon a mangé une crème brûlée à l’hôtel — c’était très bon. 20 €\n"
RUSSIAN = "Имя;Возраст;Город\nИван;30;Москва\nЭто простой текст.\n"


def recipe(format: str = "original", **values: Any) -> TextRecipe:
    preset = {"applies_to": "text", "code": "t", "version": 1, "format": format, **values}
    made = recipe_of(preset)
    assert isinstance(made, TextRecipe)
    return made


def converted(data: bytes, *recipes: TextRecipe) -> dict[str, str]:
    """Convert as a function does; return the variants by their names' extensions."""
    kind = identify(data)
    header = kind.inspect(data)
    made = {}
    for unit in kind.plan(header, kind.applicable(header, recipes)):
        for each, variant in kind.convert(data, unit, watermarks={}, seconds=60):
            made[each.format.extension] = variant.data.decode("utf-8")
            assert (variant.width, variant.height) == (None, None)
    return made


def as_json(table: str) -> Any:
    return json.loads(converted(table.encode(), recipe("json"))["json"])


def as_csv(table: Any) -> str:
    return converted(json.dumps(table).encode(), recipe("csv"))["csv"]


def refused(data: bytes, code: str, format: str = "txt") -> str:
    with pytest.raises(FileRefused) as refusal:
        converted(data, recipe(format))
    assert refusal.value.code == code
    return str(refusal.value)


class TestCharsets:
    @pytest.mark.parametrize(
        ("charset", "content"),
        [
            *((charset, JAPANESE) for charset in ("cp932", "euc_jp", "iso2022_jp_ext")),
            *((charset, JAPANESE) for charset in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
            *(("gb18030", CHINESE), ("cp949", "이름,나이,도시\n김철수,30,서울\n")),
            *(("cp950", "姓名,年齡,城市\n陳大文,30,臺北\n"), ("cp1252", FRENCH)),
            *(("cp1251", RUSSIAN), ("koi8_r", RUSSIAN), ("ascii", "Plain.\n")),
            *(("cp1250", "Zażółć gęślą jaźń; Łukasz\n"), ("cp1252", "Café\n")),
        ],
    )
    def test_the_set_is_found(self, charset: str, content: str) -> None:
        made = converted(content.encode(charset), recipe("txt", line_endings="keep"))
        assert made == {"txt": content}

    @pytest.mark.parametrize("order", ["le", "be"])
    @pytest.mark.parametrize("width", [16, 32])
    def test_a_byte_order_mark_is_believed_and_taken_away(self, order: str, width: int) -> None:
        mark = getattr(codecs, f"BOM_UTF{width}_{order.upper()}")
        data = mark + JAPANESE.encode(f"utf-{width}-{order}")
        assert converted(data, recipe("txt", line_endings="keep")) == {"txt": JAPANESE}

    def test_the_set_is_found_where_little_of_a_long_text_tells_it(self) -> None:
        content = "nothing but ASCII in this line\n" * 10_000 + JAPANESE
        data = content.encode("cp932")
        assert converted(data, recipe("txt", line_endings="keep")) == {"txt": content}

    def test_what_is_valid_in_no_set_is_refused(self) -> None:
        assert "character set" in refused(codecs.BOM_UTF16_LE + b"\x00\xd8a\x00", "unknown_charset")

    @pytest.mark.parametrize("content", [JAPANESE, FRENCH * 5])
    def test_what_is_utf8_but_for_a_byte_is_refused_and_not_guessed(self, content: str) -> None:
        assert "broken in places" in refused(content.encode() + b"\xe3\x81", "damaged")

    @pytest.mark.parametrize(
        "data",
        [b"text, then \0 a zero", b"\x7fELF\2\1\1", b"<?xml version='1.0'?><a/>", b"  <svg/>",
         b"<!DOCTYPE html>", b"%!PS-Adobe-3.0 EPSF-3.0", b"{\\rtf1\\ansi Hello}",
         codecs.BOM_UTF16_LE + "<?xml?>".encode("utf-16-le")],
    )  # fmt: skip
    def test_what_is_binary_or_markup_is_refused(self, data: bytes) -> None:
        assert "not a file of a kind" in refused(data, "not_supported")

    def test_too_large_a_text_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text, "MOST_BYTES", 10)
        refused(b"eleven byte", "too_many_bytes")


class TestLineEndings:
    @pytest.mark.parametrize(
        ("endings", "expected"),
        [
            ("lf", "a\nb\nc\n\nd"),
            ("crlf", "a\r\nb\r\nc\r\n\r\nd"),
            ("keep", "a\r\nb\rc\n\nd"),
        ],
    )
    def test_lines_end_as_the_recipe_says(self, endings: str, expected: str) -> None:
        made = converted(b"a\r\nb\rc\n\nd", recipe("txt", line_endings=endings))
        assert made == {"txt": expected}

    @pytest.mark.parametrize(
        ("endings", "newline"), [("lf", "\n"), ("crlf", "\r\n"), ("keep", "\r")]
    )
    def test_what_is_made_anew_ends_lines_so_too(self, endings: str, newline: str) -> None:
        made = converted(b"a,b\r1,2\r", recipe("json", line_endings=endings))
        assert made["json"] == newline.join(["[", '{"a": "1", "b": "2"}', "]", ""])


class TestKinds:
    @pytest.mark.parametrize(
        ("content", "header"),
        [
            ("Dear Anna,\n\nthank you, all is well, I hope.\nYours\nBen\n", Header("TEXT")),
            ("one,two\n", Header("TEXT")),
            ("a,b\n1,2\n", Header("CSV", is_table=True)),
            ("a;b\n1,5;2\n", Header("CSV", is_table=True)),
            ('[{"a": 1}]', Header("JSON", is_table=True)),
            ('\n{"a": [1]}', Header("JSON")),
            ('["a"]', Header("JSON")),
            ("[section]\nkey = 1\n", Header("TEXT")),
        ],
    )
    def test_text_is_told_from_tables(self, content: str, header: Header) -> None:
        assert KIND.inspect(content.encode()) == header
        assert Header.from_mapping(header.to_mapping()) == header

    @pytest.mark.parametrize("line", ["\n", '"\n'])
    def test_only_the_beginning_is_read_to_tell(
        self, monkeypatch: pytest.MonkeyPatch, line: str
    ) -> None:
        read: list[str] = []
        lines = tables._lines

        def noted(content: str) -> Iterator[str]:
            for each in lines(content):
                read.append(each)
                yield each

        monkeypatch.setattr(tables, "_lines", noted)
        assert KIND.inspect(line.encode() * 1_000_000) == Header("TEXT")
        assert len(read) <= 400_000

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_where_the_beginning_ends_within_a_row_the_others_tell(self, newline: str) -> None:
        row = f'a,"{f"long{newline}" * 8_000}"{newline}'
        assert KIND.inspect(row.encode() * 20) == Header("CSV", is_table=True)

    def test_what_does_not_apply_is_left_out(self) -> None:
        recipes = [recipe("json"), recipe("csv"), recipe("txt"), recipe("original")]

        def formats(header: Header) -> list[str]:
            return [each.format.value for each in KIND.applicable(header, recipes)]

        assert formats(Header("TEXT")) == ["txt", "txt"]
        assert formats(Header("CSV", is_table=True)) == ["json", "txt", "csv"]
        assert formats(Header("JSON", is_table=True)) == ["csv", "txt", "json"]
        assert formats(Header("JSON")) == ["txt", "json"]
        web = recipe_of({"code": "web", "version": 1, "format": "jpeg", "width": 10})
        assert KIND.applicable(Header("TEXT"), [web]) == []
        assert by_code("image").applicable(Header("PNG"), recipes) == []
        assert KIND.plan(Header("TEXT"), []) == []

    def test_the_original_keeps_its_kind(self) -> None:
        data = "名前,年齢\n山田,30\n".encode("cp932")
        assert converted(data, recipe()) == {"csv": "名前,年齢\n山田,30\n"}

    def test_what_can_be_made_is_made_before_a_broken_table_is_refused(self) -> None:
        data = b"a,b\n1,2\n3,4\n5,6\n7\n"
        header = KIND.inspect(data)
        (unit,) = KIND.plan(header, KIND.applicable(header, [recipe("json"), recipe("txt")]))
        made = KIND.convert(data, unit, watermarks={}, seconds=60)
        assert next(made)[0].format.value == "txt"
        with pytest.raises(FileRefused, match="Line 5: it has 1 values, and the first row 2"):
            next(made)

    def test_a_recipe_survives_a_message(self) -> None:
        given_ = recipe("csv", line_endings="crlf")
        assert recipe_of(given_.to_mapping()) == given_
        assert recipe("csv", version=Decimal(2), line_endings=None).name == "t-v2.csv"

    def test_formats_say_what_they_are(self) -> None:
        kinds = [recipe(each).format.media_type for each in ("txt", "csv", "json")]
        assert kinds == ["text/plain; charset=utf-8", "text/csv; charset=utf-8", "application/json"]


class TestCsvToJson:
    @pytest.mark.parametrize("delimiter", tables.DELIMITERS)
    def test_rows_become_objects_whose_values_are_strings(self, delimiter: str) -> None:
        table = "name,zip\nMüller,007\n\nJäger,1.10\n".replace(",", delimiter)
        assert as_json(table) == [
            {"name": "Müller", "zip": "007"},
            {"name": "Jäger", "zip": "1.10"},
        ]

    def test_quoted_values_may_have_anything_in_them(self) -> None:
        table = 'a,b\n"x,\ny","say ""hi"""\n'
        assert as_json(table) == [{"a": "x,\ny", "b": 'say "hi"'}]

    @pytest.mark.parametrize(
        ("table", "why"),
        [
            ("a,b\n1,2\n3,4\n5,6\n7,8,9\n", "Line 5: it has 3 values, and the first row 2."),
            ("a,a\n1,2\n", "Line 1: the column “a” is there twice."),
            ('a,b\n1,2\n3,4\n5,6\n"7,8\n', "Line 5: it cannot be read as CSV"),
            ('a,b\n1,2\n3,4\n5,6\n"7"x,8\n', "Line 5: it cannot be read as CSV"),
        ],
    )
    def test_what_is_no_table_is_refused_with_its_line(self, table: str, why: str) -> None:
        assert refused(table.encode(), "not_a_table", "json").startswith(why)

    @pytest.mark.parametrize("limit", ["MOST_ROWS", "LARGEST"])
    def test_limits(self, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
        monkeypatch.setattr(tables, limit, 60)
        refused(b"a,b\n" + b"1,2\n" * 60, "table_too_large", "json")

    def test_empty_rows_count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables, "MOST_ROWS", 60)
        refused(b"a,b\n" + b"1,2\n" * 4 + b"\n" * 60, "table_too_large", "json")

    def test_too_many_columns(self) -> None:
        row = ",".join(map(str, range(tables.MOST_COLUMNS + 1)))
        data = f"a,b\n1,2\n3,4\n5,6\n{row}\n".encode()
        assert "1000 columns" in refused(data, "table_too_large", "json")


class TestJsonToCsv:
    def test_columns_are_the_keys_in_the_order_of_their_first_appearance(self) -> None:
        assert as_csv([{"b": 1, "a": "x"}, {"c": None, "a": True}]) == "b,a,c\n1,x,\n,true,\n"

    def test_lists_are_rows(self) -> None:
        assert as_csv([["a", "b"], [1, "x,y"]]) == 'a,b\n1,"x,y"\n'

    def test_numbers_are_written_as_they_were(self) -> None:
        table = (
            b'[{"a": 1.10, "b": 1e400, "c": 12345678901234567890.5, "d": [1.10, {"e": "\\u00e9"}]}]'
        )
        (row,) = converted(table, recipe("csv"))["csv"].splitlines()[1:]
        assert row == '1.10,1e400,12345678901234567890.5,"[1.10, {""e"": ""é""}]"'
        assert "9" * 5000 in converted(f'[{{"a": {"9" * 5000}}}]'.encode(), recipe("csv"))["csv"]

    def test_half_a_surrogate_pair_becomes_a_question_mark(self) -> None:
        assert as_csv([["\ud800", "a"]]) == "?,a\n"

    @pytest.mark.parametrize(
        ("table", "why"),
        [
            ('[{"a": 1},\n{"a": }]', "Line 2: it is not JSON (Expecting value, at character 7)."),
            ('[{"a": 1}, [2]]', "Entry 2: all have to be objects"),
            ("[[1], 2]", "Entry 2: all have to be objects"),
            ('[{"a": NaN}]', "It is not JSON (NaN"),
            ("[{}]", "The table has no columns."),
            ("[" * 100_000, "The JSON is nested too deeply."),
            (f'[{{"a": {"[" * 900}{"]" * 900}}}]', "The JSON is nested too deeply."),
        ],
    )
    def test_what_is_no_table_is_refused(self, table: str, why: str) -> None:
        assert refused(table.encode(), "not_a_table", "csv").startswith(why)

    @pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_COLUMNS", "LARGEST"])
    def test_limits(self, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
        monkeypatch.setattr(tables, limit, 3)
        data = json.dumps([{f"key {number}": "value"} for number in range(4)]).encode()
        refused(data, "table_too_large", "csv")

    def test_one_of_too_many_empty_values_is_refused_before_its_rows_are_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_cell(_value: object) -> str:
            raise AssertionError

        monkeypatch.setattr(tables, "_cell", no_cell)
        monkeypatch.setattr(tables, "LARGEST", 3_000)
        refused(
            json.dumps([dict.fromkeys("abcd"), *[{}] * 1_000]).encode(), "table_too_large", "csv"
        )


# Without what could be taken for other delimiters.
WORDS = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], include_characters="\r\n", exclude_characters=";|"
    )
)


@given(
    st.lists(WORDS, min_size=2, max_size=5, unique=True).flatmap(
        lambda names: st.lists(
            st.fixed_dictionaries(dict.fromkeys(names, WORDS)), min_size=1, max_size=8
        )
    )
)
def test_objects_survive_the_way_to_csv_and_back(table: list[dict[str, str]]) -> None:
    assert (
        json.loads(
            tables.csv_to_json(tables.json_to_csv(json.dumps(table), newline="\n"), newline="\n")
        )
        == table
    )


@given(
    st.lists(st.lists(WORDS, min_size=2, max_size=2), min_size=2), st.sampled_from(["\n", "\r\n"])
)
def test_rows_survive_being_written(rows: list[list[str]], newline: str) -> None:
    made = tables.json_to_csv(json.dumps(rows), newline=newline)
    assert list(csv.reader(io.StringIO(made, newline=""), strict=True)) == rows


SEEDS = [
    JAPANESE.encode("cp932"), CHINESE.encode("gb18030"), FRENCH.encode("utf-16"),
    b'a,b\r\n"1",2\r\n', b'[{"a": [1, {"b": null}]}, {"c": "\\ud83d\\ude00"}]',
]  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_changed_bytes_give_texts_or_a_refusal(data: st.DataObject) -> None:
    changed = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
        changed += b" "
    with suppress(FileRefused):
        kind = identify(bytes(changed))
        if kind is KIND:
            recipes = [recipe("json"), recipe("csv"), recipe("txt"), recipe("original")]
            assert converted(bytes(changed), *recipes)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_kind_of_file_or_refused(data: bytes) -> None:
    with suppress(FileRefused):
        identify(data).inspect(data)

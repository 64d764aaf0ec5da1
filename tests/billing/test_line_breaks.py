"""Where lines end: never before what closes, never after what opens, and nothing gets lost."""

from hypothesis import given
from hypothesis import strategies as st

from billing.line_breaks import lines_of

TEXTS = st.text(alphabet="aあ漢ー、。（）「」 ・ゃ𠮷", max_size=40)


def lines(text: str, most: int) -> list[str]:
    return lines_of(text, lambda line: len(line) <= most)


def test_by_hand() -> None:
    assert lines("変換サービス、約（十二月分）", 4) == ["変換サー", "ビス、約", "（十二月", "分）"]
    assert lines("変換サービス、約（十二月分）", 3) == [
        "変換",
        "サービ",
        "ス、約",
        "（十二",
        "月分）",
    ]
    assert lines("Requests 1 to 20, 2026-11", 11) == ["Requests 1", "to 20,", "2026-11"]
    assert lines("one\n\ntwo", 9) == ["one", "", "two"]
    assert lines("abcdefgh ij", 3) == ["abc", "def", "gh", "ij"]


@given(TEXTS, st.integers(4, 12))
def test_nothing_is_lost_and_no_line_is_too_long(text: str, most: int) -> None:
    found = lines(text, most)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(line) <= most for line in found)

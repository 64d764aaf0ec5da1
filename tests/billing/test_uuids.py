from uuid import RFC_4122

from billing.uuids import uuid7


def test_later_uuids_come_later_and_none_comes_twice() -> None:
    made = [uuid7() for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert [each.int >> 80 for each in made] == sorted(each.int >> 80 for each in made)
    assert len({each.int >> 64 & 0xFFF for each in made}) > 500  # random from there on
    assert len({each.int & (1 << 62) - 1 for each in made}) == 1_000

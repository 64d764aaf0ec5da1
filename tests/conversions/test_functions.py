"""The functions by themselves, as Lambda calls them; whole, they are in test_stack.py."""

import json
from typing import Any

import pytest

from conversions.serverless.functions import asked, convert


def test_of_a_batch_only_what_failed_comes_again() -> None:
    work: dict[str, Any] = {"source": {}}  # a source that lacks everything
    tries = {"ApproximateReceiveCount": "1"}
    records = [
        {"messageId": "a", "body": "no json", "attributes": tries},
        {"messageId": "b", "body": json.dumps(work), "attributes": tries},
    ]
    answer = convert.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (None, "no JSON"),
        ("filename=a.jpg", "no JSON"),
        ("[]", "no object"),
        ("{}", "`filename` is a text"),
        ('{"filename": 7}', "`filename` is a text"),
        (json.dumps({"filename": "a" * 256}), "255"),
        ('{"filename": "a/ "}', "needs a name"),
        (r'{"filename": "a\u0000b.jpg"}', "control"),
        (r'{"filename": "a\ud800b.jpg"}', "control"),
        ('{"filename": "a.jpg", "presets": "web"}', "`presets`"),
        ('{"filename": "a.jpg", "presets": [["web"]]}', "`presets`"),
        ('{"filename": "a.jpg", "content_type": null}', "`content_type`"),
    ],
)
def test_a_body_that_the_gateway_did_not_look_at_is_refused(body: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        asked.new_upload(body)


def test_of_a_file_name_only_the_last_part_is_kept() -> None:
    wanted = asked.new_upload(
        json.dumps({"filename": "C:\\夏\\海\u3000岸.jpg", "presets": ["web"]})
    )
    assert (wanted.filename, wanted.presets) == ("海\u3000岸.jpg", ["web"])

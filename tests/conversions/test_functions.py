"""The functions by themselves, as Lambda calls them; whole, they are in test_stack.py."""

import json
from typing import Any

import pytest

from conversions.serverless.functions import convert, ping


@pytest.mark.parametrize(
    "event", [{}, {"requestContext": {}}, {"requestContext": {"identity": {"apiKeyId": None}}}]
)
def test_ping_says_that_no_key_was_named(event: dict[str, Any]) -> None:
    answer = ping.handler(event, None)
    assert answer["statusCode"] == 500
    assert "whose key" in json.loads(answer["body"])["message"]


def test_of_a_batch_only_what_failed_comes_again() -> None:
    work = {"source": {}, "presets": "[]"}  # a source that lacks everything
    records = [
        {"messageId": "a", "body": "no json"},
        {"messageId": "b", "body": json.dumps(work)},
    ]
    answer = convert.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}
    assert convert.handler({"Records": []}, None) == {"batchItemFailures": []}

"""The functions by themselves, as Lambda calls them; whole, they are in test_stack.py."""

import json

from conversions.serverless.functions import convert


def test_of_a_batch_only_what_failed_comes_again() -> None:
    work = {"source": {}, "presets": "[]"}  # a source that lacks everything
    records = [
        {"messageId": "a", "body": "no json"},
        {"messageId": "b", "body": json.dumps(work)},
    ]
    answer = convert.handler({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}

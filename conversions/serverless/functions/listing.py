"""A tenant's uploads, newest first, a page at a time.

The index says in which order, and the table itself what they are: so the index is written once an
upload, not whenever anything of it changes, and what a page says of an upload is never out of date.
A page ends at the place of its last upload and the next one begins there, whatever comes and goes
between the two. What was made a moment ago may be missing in the index.
"""

import os
from collections.abc import Iterator

from boto3.dynamodb.conditions import Key

from conversions.serverless.functions import records
from conversions.serverless.functions.clients import table

INDEX = "listed"
MOST_READ = 100  # items of one BatchGetItem
MOST_LOOKED_THROUGH = 500  # uploads, for a page of those in one state


def page(
    *, tenant: str, limit: int, before: str | None, state: str | None
) -> tuple[list[records.Item], str | None]:
    """Return up to `limit` uploads older than a place, and where the next page begins, if any.

    Of one `state` there may be fewer, or none, while there is a next page.
    """
    found: list[records.Item] = []
    size = MOST_READ if state else limit
    for _ in range(0, MOST_LOOKED_THROUGH if state else limit, size):
        places = _places(tenant, before, size + 1)
        here = places[:size]
        items = {item["listed"]: item for item in _items(tenant, here)}
        for number, at in enumerate(here, start=1):
            item = items.get(at)
            if item is not None and state in (None, records.state(item)):
                found.append(item)
            if len(found) == limit:
                return found, at if number < len(places) else None
        if len(places) <= size:
            return found, None
        before = here[-1]
    return found, before


def _places(tenant: str, before: str | None, most: int) -> list[str]:
    mine = Key("pk").eq(tenant)
    answer = table(os.environ["UPLOADS_TABLE"]).query(
        IndexName=INDEX,
        KeyConditionExpression=mine & Key("listed").lt(before) if before else mine,
        ScanIndexForward=False,
        Limit=most,
    )
    return [item["listed"] for item in answer["Items"]]


def _items(tenant: str, places: list[str]) -> Iterator[records.Item]:
    """Yield the uploads at these places; DynamoDB may leave some of them for another call."""
    name = os.environ["UPLOADS_TABLE"]
    keys = [{"pk": tenant, "sk": f"upload#{place.partition('-')[2]}"} for place in places]
    asked = {name: {"Keys": keys, "ConsistentRead": True}} if keys else {}
    while asked:
        answer = table(name).meta.client.batch_get_item(RequestItems=asked)
        yield from (item for item in answer["Responses"][name] if "listed" in item)
        asked = answer["UnprocessedKeys"]

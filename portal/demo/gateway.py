"""The caller's side of the story: requests to the sold API, and what AWS says of them."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import httpx

FORBIDDEN = "403 Forbidden"
THROTTLED = "429 Too Many Requests"
EXCEEDED = "429 Limit Exceeded"


class Caller:
    """Somebody who calls the sold API by HTTP, as by curl."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/v1/ping"
        self._client = httpx.Client(timeout=20)

    def close(self) -> None:
        self._client.close()

    def call(self, value: str | None) -> httpx.Response:
        return self._client.get(self._url, headers={"x-api-key": value} if value else {})

    def answer(self, value: str | None) -> str:
        """Call, and return status and message as people quote them: "429 Limit Exceeded"."""
        return _quoted(self.call(value))

    def patient(self, value: str) -> str:
        """Call as a client does that waits a moment when it was too fast."""
        while (answer := self.answer(value)) == THROTTLED:
            time.sleep(0.1)
        return answer

    def burst(self, value: str, calls: int) -> Counter[str]:
        """Make that many calls at once; count the answers.

        At once, so that a slow machine's burst is over the rate, too: a gateway admits or refuses
        a call as it comes, however long the function behind it takes then.
        """
        with ThreadPoolExecutor(max_workers=calls) as pool:
            return Counter(pool.map(self.answer, [value] * calls))

    def exhaust(self, value: str, *, most: int) -> int:
        """Call until the quota ends; return how many calls passed. Throttled ones are repeated."""
        passed = 0
        while passed <= most:
            answers = self.burst(value, 20)
            passed += answers["200"]
            if answers[EXCEEDED]:
                break
        return passed


def _quoted(response: httpx.Response) -> str:
    if response.status_code == 200:
        return "200"
    return f"{response.status_code} {response.json()['message']}"


def usage_today(environment: dict[str, str], *, key_id: str) -> list[int]:
    """Return the key's [used, remaining] of today (UTC), as AWS's own client reads it."""
    client: Any = boto3.client(
        "apigateway",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    today = datetime.now(UTC).date().isoformat()
    for plan in client.get_usage_plans(keyId=key_id)["items"]:
        answer = client.get_usage(
            usagePlanId=plan["id"], keyId=key_id, startDate=today, endDate=today
        )
        for days in answer["items"].values():
            return list(days[-1])
    return []

"""What a key has used, and has left, by GetUsage and UpdateUsage."""

from typing import Any

from tests.local.aws.apis import patch


def pairs(gateway: Any, plan_id: str, key_id: str, start: str, end: str) -> list[list[int]]:
    usage = gateway.get_usage(usagePlanId=plan_id, keyId=key_id, startDate=start, endDate=end)
    assert (usage["usagePlanId"], usage["startDate"], usage["endDate"]) == (plan_id, start, end)
    found: list[list[int]] = usage["items"][key_id]
    return found


def set_remaining(gateway: Any, plan_id: str, key_id: str, value: object) -> dict[str, Any]:
    answer: dict[str, Any] = gateway.update_usage(
        usagePlanId=plan_id, keyId=key_id, patchOperations=patch("/remaining", str(value))
    )
    return answer

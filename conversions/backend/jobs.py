"""What became of a job, as the functions write it (records.py), for those who ask by the API."""

import json

from conversions.backend import BackendRefused, client, errors_of, outputs


def job_failed(*, tenant: str, job: str, expires: int) -> None:
    """Let the API say that a job failed, until `expires` (seconds since the epoch).

    What is known of it already stays: it was done then, and only its message came again.
    """
    outcome = {"state": "failed", "accepted": [], "refused": {}, "unknown_presets": []}
    try:
        with errors_of("note a failed job"):
            client("dynamodb").put_item(
                TableName=outputs()["UploadsTable"],
                Item={
                    "pk": {"S": tenant},
                    "sk": {"S": f"job#{job}"},
                    "outcome": {"S": json.dumps(outcome)},
                    "expires": {"N": str(expires)},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
    except BackendRefused as refusal:
        if refusal.code != "ConditionalCheckFailedException":
            raise

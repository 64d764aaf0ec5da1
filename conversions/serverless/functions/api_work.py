"""What became of work that was asked for: jobs, and executions of the state machine.

GET  /v1/jobs/{id}                 what became of POST /v1/jobs, which the queue takes itself
GET  /v1/workflows/ingest/{id}     where an execution is, which Step Functions started itself
"""

import json
import os
from datetime import UTC
from typing import Any

from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from botocore.exceptions import ClientError

from conversions.serverless.functions import edge, records
from conversions.serverless.functions.calls import caller, not_found
from conversions.serverless.functions.clients import client

NO_EXECUTION = "You have started no execution with this id."

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # its maker has no types


@router.get("/v1/jobs/<job>")
def job_read(job: str) -> dict[str, Any]:
    """What became of a job. One that is still in the queue is not told from one that never was."""
    outcome = records.job(tenant=caller(router.current_event).tenant, job=job)
    if outcome is None:
        raise not_found("You have no such job, or it still waits in the queue.")
    return {"id": job, **outcome}


@router.get("/v1/workflows/ingest/<execution>")
def execution_read(execution: str) -> dict[str, Any]:
    """Where an execution is that this tenant started."""
    who = caller(router.current_event)
    machine = os.environ["STATE_MACHINE"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{execution}"
    try:
        found = client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        # The last is what Step Functions says of a name that none can have.
        nowhere = {"ExecutionDoesNotExist", "InvalidArn", "ValidationException"}
        if error.response["Error"]["Code"] not in nowhere:
            raise
        raise not_found(NO_EXECUTION) from error
    started_by = json.loads(found["input"]).get("caller", {}).get("key")
    # Another key of the same tenant may ask, too.
    if not started_by or not _is_of(started_by, who.tenant):
        raise not_found(NO_EXECUTION)
    answer = {
        "id": execution,
        "state": found["status"].lower(),
        "upload": json.loads(found["input"])["request"]["upload"],
        "started_at": found["startDate"].astimezone(UTC).isoformat(),
    }
    if "stopDate" in found:
        answer["stopped_at"] = found["stopDate"].astimezone(UTC).isoformat()
    if found.get("cause"):
        answer["error"] = found["cause"]
    return answer


def _is_of(key_id: str, tenant: str) -> bool:
    try:
        return edge.caller(key_id).tenant == tenant
    except edge.NotPublished:
        return key_id in edge.account(tenant).keys

"""The sold API's own answers: who am I, uploads, jobs and executions.

    GET  /v1/ping                      who the calling key belongs to, and what is left
    POST /v1/uploads                   a form to post a file with, and which presets to make of it
    GET  /v1/uploads/{id}              where it is, with links to every variant
    GET  /v1/jobs/{id}                 what became of POST /v1/jobs, which the queue takes itself
    GET  /v1/workflows/ingest/{id}     where an execution is, which Step Functions started itself

The gateway has checked the key and the body before. Whose key it is comes from the gateway's
context and the edge table, never from the caller; so a stranger's things are not found.
"""

import json
import os
import time
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from conversions.serverless.functions import edge, new_upload, records
from conversions.serverless.functions.clients import client, table

SMALLEST, LARGEST = 1, 20_000_000  # bytes of an upload
LINK_SECONDS = 3600  # how long a form, or a link, is good
EXPOSED = ["x-amzn-RequestId", "x-amzn-ErrorType", "Retry-After"]

logger = Logger()
app = APIGatewayRestResolver(
    cors=CORSConfig(allow_origin="*", expose_headers=EXPOSED, allow_headers=["x-api-key"]),
)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one call; log one line of it."""
    started = time.perf_counter()
    answer = app.resolve(event, context)  # type: ignore[arg-type]  # the event is what Lambda gives
    logger.info(
        "call",
        extra={
            "route": f"{event['httpMethod']} {event['resource']}",
            "status": answer["statusCode"],
            "key_id": event["requestContext"]["identity"].get("apiKeyId"),
            "request_id": event["requestContext"]["requestId"],
            "ms": round(1000 * (time.perf_counter() - started), 1),
        },
    )
    return answer


class Refused(Exception):
    """What is asked for cannot be had. `code` is for machines, str() for people."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@app.exception_handler(Refused)  # type: ignore[untyped-decorator]
def refused(refusal: Refused) -> Response[str]:
    return _problem(refusal)


def _problem(refusal: Refused) -> Response[str]:
    """Answer in the form of the gateway's own refusals (Problem, in the template)."""
    problem = {
        "message": str(refusal),
        "code": refusal.code,
        "request_id": app.current_event.request_context.request_id,
    }
    return Response(
        status_code=refusal.status,
        content_type="application/json",
        headers={"Retry-After": "2"} if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else {},
        body=json.dumps(problem),
    )


@app.exception_handler(edge.NotPublished)  # type: ignore[untyped-decorator]
def not_published(_error: edge.NotPublished) -> Response[str]:
    """The portal publishes a new key within seconds; until then nobody knows whose it is."""
    text = "This key is not known here yet. Try again in a moment."
    return _problem(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "key_not_published", text))


@app.get("/v1/ping")
def ping() -> dict[str, Any]:
    """Who the calling key belongs to, and what is left of the quota, as the live meter has it.

    The meter is seconds behind, and counts this call a moment later. None: there is no limit.
    """
    who = _caller()
    account = edge.account(who.tenant)
    remaining = None
    if account.limit is not None:
        remaining = max(0, account.limit - _used(account))
    return {
        "pong": True,
        "key": {"id": who.key_id, "name": who.key_name},
        "tenant": {"id": who.tenant, "name": who.tenant_name},
        "plan": who.plan,
        "limit": account.limit,
        "remaining": remaining,
        "period_end": account.period_end,
    }


@app.post("/v1/uploads")
def upload_create() -> tuple[dict[str, Any], int]:
    """A new upload, with the form that the file is to be posted with."""
    who = _caller()
    try:
        asked = new_upload.read(app.current_event.body)
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "bad_request_body", str(error)) from error
    presets = asked.presets
    known = {preset["code"] for preset in edge.account(who.tenant).presets}
    if presets is not None and (unknown := sorted(set(presets) - known)):
        text = f"Unknown presets: {', '.join(unknown)}."
        raise Refused(HTTPStatus.BAD_REQUEST, "unknown_presets", text)
    upload = str(uuid.uuid4())
    item = records.upload_create(
        tenant=who.tenant,
        upload=upload,
        filename=asked.filename,
        presets=presets,
        created_at=datetime.now(UTC).isoformat(),
    )
    about = {"tenant": who.tenant, "upload": upload, **records.about(item)}
    records.report({"kind": "created", **about, "requested": presets})
    form = client("s3").generate_presigned_post(
        os.environ["FILES_BUCKET"],
        f"uploads/{who.tenant}/{upload}/source",
        Fields={"Content-Type": asked.content_type},
        Conditions=[
            ["content-length-range", SMALLEST, LARGEST],
            {"Content-Type": asked.content_type},
        ],
        ExpiresIn=LINK_SECONDS,
    )
    return {
        "id": upload,
        "state": "waiting",
        "form": {"url": form["url"], "fields": form["fields"], "expires_in": LINK_SECONDS},
    }, HTTPStatus.CREATED


@app.get("/v1/uploads/<upload>")
def upload_read(upload: str) -> dict[str, Any]:
    """Where an upload is, and a link to each variant that is there."""
    item = records.upload(tenant=_caller().tenant, upload=upload)
    if not item:
        raise _not_found("You have no upload with this id.")
    answer: dict[str, Any] = {
        "id": upload,
        "state": records.state(item),
        "filename": item.get("filename"),
        "expected": len(item.get("expected", ())),
        "variants": [
            {
                "preset": variant["preset"],
                "format": variant["format"],
                "width": int(variant["width"]),
                "height": int(variant["height"]),
                "bytes": int(variant["bytes"]),
                "url": _link(variant["key"]),
            }
            for _name, variant in sorted(records.variants(item).items())
        ],
        "failed": [
            {"preset": name.rpartition("-v")[0], **failure}
            for name, failure in sorted(records.failures(item).items())
        ],
    }
    if answer["state"] == "failed":
        answer["error"] = item.get("failure", records.GAVE_UP)
    return answer


@app.get("/v1/jobs/<job>")
def job_read(job: str) -> dict[str, Any]:
    """What became of a job. One that is still in the queue is not told from one that never was."""
    outcome = records.job(tenant=_caller().tenant, job=job)
    if outcome is None:
        raise _not_found("You have no such job, or it still waits in the queue.")
    return {"id": job, **outcome}


@app.get("/v1/workflows/ingest/<execution>")
def execution_read(execution: str) -> dict[str, Any]:
    """Where an execution is that this tenant started."""
    who = _caller()
    machine = os.environ["STATE_MACHINE"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{execution}"
    try:
        found = client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        # The last is what Step Functions says of a name that none can have.
        nowhere = {"ExecutionDoesNotExist", "InvalidArn", "ValidationException"}
        if error.response["Error"]["Code"] not in nowhere:
            raise
        raise _not_found(NO_EXECUTION) from error
    started_by = json.loads(found["input"]).get("caller", {}).get("key")
    # Another key of the same tenant may ask, too.
    if not started_by or not _is_of(started_by, who.tenant):
        raise _not_found(NO_EXECUTION)
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


NO_EXECUTION = "You have started no execution with this id."


def _not_found(text: str) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "not_found", text)


def _caller() -> edge.Caller:
    key_id = app.current_event.request_context.identity.api_key_id
    if not key_id:
        # As for a method that asks for no key: nobody can be told whose call it is.
        text = "The gateway did not say whose key this call came with."
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "no_key", text)
    return edge.caller(key_id)


def _is_of(key_id: str, tenant: str) -> bool:
    try:
        return edge.caller(key_id).tenant == tenant
    except edge.NotPublished:
        return key_id in edge.account(tenant).keys


def _used(account: edge.Account) -> int:
    """Sum what the live meter has counted for all keys of a tenant since its period began."""
    used = 0
    for key_id in account.keys:
        found = table(os.environ["LIVE_TABLE"]).query(
            KeyConditionExpression=Key("pk").eq(f"day#{key_id}")
            & Key("sk").gte(account.period_start),
            ConsistentRead=True,
        )
        used += sum(int(day.get("requests", 0)) for day in found["Items"])
    return used


def _link(key: str) -> str:
    return str(
        client("s3").generate_presigned_url(
            "get_object",
            Params={"Bucket": os.environ["FILES_BUCKET"], "Key": key},
            ExpiresIn=LINK_SECONDS,
        )
    )

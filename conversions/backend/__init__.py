"""The only Django-side package that talks to S3, SQS, DynamoDB and CloudFormation.

Files, results and the edge table are here, the stack's deployment is in stack.py, the buckets that
outlive it are in buckets.py, the live meter is read in live.py, and what the API knows of uploads
and jobs is told in uploads.py and jobs.py.

Returns our dataclasses and raises our errors:

    BackendError               str() says which call, and what was answered
    ├── BackendUnavailable     no answer, too many calls, or a server error: it may or may not have
    │                          happened
    └── BackendRefused         AWS understood and refused
"""

import json
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.utils.http import content_disposition_header

SMALLEST, LARGEST = 1, 20_000_000  # bytes of an upload; S3 itself refuses others
# Too many calls, which most services answer with 400.
THROTTLED = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
PIECE = 65_536  # bytes of an object that are in memory at once
LINK_SECONDS = 3600  # how long a form to upload, or a link to a variant, is good


class BackendError(Exception):
    """A call failed. `retryable` says whether the same call may succeed later; `code` is AWS's."""

    retryable = False

    def __init__(self, text: str, *, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class BackendUnavailable(BackendError):
    """No answer, too many calls, or a server error."""

    retryable = True


class BackendRefused(BackendError):
    """AWS refused the call."""


@dataclass(frozen=True)
class PresignedPost:
    """Where a browser posts a file to, and the fields to send before it."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Result:
    """A message from one of the queues; `receipt` deletes it there, `attributes` go beside it."""

    text: str
    receipt: str
    queue: str
    attributes: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        """The message's object. Raise ValueError where it is none."""
        body = json.loads(self.text)
        if not isinstance(body, dict):
            raise ValueError(f"not an object: {self.text[:100]}")
        return body


def client(service: str) -> Any:
    """Return a boto3 client with short time-outs, made once per process.

    Addresses that are given to browsers name the bucket and the region: boto3's default is S3's
    global address, which redirects outside us-east-1, and which the pages' policy does not allow.
    A local endpoint, which is an IP address, is used as it is.
    """
    return _client(service, settings.AWS_ENDPOINT_URL)


@cache
def _client(service: str, endpoint_url: str | None) -> Any:
    return boto3.client(
        service,
        region_name=settings.AWS_REGION,
        endpoint_url=endpoint_url,
        config=Config(
            connect_timeout=2,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 3},
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
        ),
    )


@contextmanager
def errors_of(what: str) -> Iterator[None]:
    """Map boto3's errors to ours."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response["Error"]["Code"]
        is_passing = status >= 500 or status == 429 or code in THROTTLED
        kind = BackendUnavailable if is_passing else BackendRefused
        raise kind(f"{what}: {error}", code=code) from error
    except BotoCoreError as error:
        raise BackendUnavailable(f"{what}: {error}") from error


@cache
def outputs() -> dict[str, str]:
    """Return the stack's outputs: names of table, bucket and queue. Raise BackendError."""
    with errors_of("describe stack"):
        answer = client("cloudformation").describe_stacks(StackName=settings.BACKEND_STACK_NAME)
    stacks = answer["Stacks"]
    return {item["OutputKey"]: item["OutputValue"] for item in stacks[0].get("Outputs", [])}


# --- Files ---


def upload_form(*, key: str, content_type: str) -> PresignedPost:
    """Return the form with which a browser may post one file, of 1 byte to 20 MB, to this key."""
    with errors_of("presign upload"):
        post = client("s3").generate_presigned_post(
            outputs()["FilesBucket"],
            key,
            Fields={"Content-Type": content_type},
            Conditions=[
                ["content-length-range", SMALLEST, LARGEST],
                {"Content-Type": content_type},
            ],
            ExpiresIn=LINK_SECONDS,
        )
    return PresignedPost(url=post["url"], fields=post["fields"])


def link(
    *,
    key: str,
    seconds: int = LINK_SECONDS,
    filename: str = "",
    content_type: str = "",
    max_age: int = 0,
) -> str:
    """Return an address of an object, good for so long; with a file name, one that downloads it.

    `content_type` replaces what the object was stored with, and `max_age` says for how many seconds
    browsers and caches may keep it without asking again.
    """
    parameters = {"Bucket": outputs()["FilesBucket"], "Key": key}
    if filename:
        disposition = content_disposition_header(as_attachment=True, filename=filename)
        parameters["ResponseContentDisposition"] = str(disposition)
    if content_type:
        parameters["ResponseContentType"] = content_type
    if max_age:
        parameters["ResponseCacheControl"] = f"public, max-age={max_age}"
    with errors_of("presign link"):
        return str(
            client("s3").generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
        )


def source_announce(*, key: str) -> bool:
    """Have S3 tell the state machine of a file again, by copying it onto itself.

    Return False where there is no file. S3 takes such a copy only where something changes, which
    replacing the metadata is (CopyObject, x-amz-metadata-directive).
    """
    bucket = outputs()["FilesBucket"]
    try:
        with errors_of("announce source"):
            client("s3").copy_object(
                Bucket=bucket,
                Key=key,
                CopySource={"Bucket": bucket, "Key": key},
                MetadataDirective="REPLACE",
            )
    except BackendRefused as refusal:
        if refusal.code in {"NoSuchKey", "404"}:
            return False
        raise
    return True


def object_pieces(*, key: str) -> Generator[bytes, None, None] | None:
    """Return an object's bytes in pieces, which are read as they are taken; None without an object.

    Raise BackendError, also at a later piece.
    """
    try:
        with errors_of("open an object"):
            body = client("s3").get_object(Bucket=outputs()["FilesBucket"], Key=key)["Body"]
    except BackendRefused as refusal:
        if refusal.code == "NoSuchKey":
            return None
        raise
    return _pieces(body)


def _pieces(body: Any) -> Generator[bytes, None, None]:
    with closing(body), errors_of("read an object"):
        yield from body.iter_chunks(PIECE)


def objects_delete(*, prefixes: list[str]) -> None:
    """Delete everything below these prefixes; nothing there is as good.

    Raise BackendUnavailable where S3 leaves some of it, which its answer lists beside a 200.
    """
    bucket = outputs()["FilesBucket"]
    with errors_of("delete objects"):
        for prefix in prefixes:
            pages = (
                client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            )
            for page in pages:
                keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
                if keys:
                    answer = client("s3").delete_objects(
                        Bucket=bucket, Delete={"Objects": keys, "Quiet": True}
                    )
                    if left := answer.get("Errors"):
                        text = f"delete objects: {len(left)} are left, {left[0]}"
                        raise BackendUnavailable(text, code=left[0].get("Code", ""))


# --- Results ---

# The stack's outputs with the queues' addresses.
RESULTS, DEAD, DEAD_JOBS = "ResultsQueue", "DeadQueue", "DeadJobsQueue"


def results_receive(*, wait_seconds: int = 0, queue: str = RESULTS) -> list[Result]:
    """Return up to ten messages; each comes again after a while unless it is deleted."""
    with errors_of("receive results"):
        answer = client("sqs").receive_message(
            QueueUrl=outputs()[queue],
            MaxNumberOfMessages=10,
            WaitTimeSeconds=wait_seconds,
            MessageAttributeNames=["All"],
        )
    return [
        Result(
            text=message["Body"],
            receipt=message["ReceiptHandle"],
            queue=queue,
            attributes={
                name: attribute["StringValue"]
                for name, attribute in message.get("MessageAttributes", {}).items()
            },
        )
        for message in answer.get("Messages", [])
    ]


def result_delete(*, result: Result) -> None:
    """Delete a message that has been dealt with."""
    with errors_of("delete result"):
        client("sqs").delete_message(QueueUrl=outputs()[result.queue], ReceiptHandle=result.receipt)


# --- The edge table ---


def edge_put(*, key: str, body: dict[str, Any], revision: int) -> None:
    """Write an item, unless a newer revision is there already.

    Values are strings; anything else is written as JSON, which is what functions expect.
    """
    item = {
        name: {"S": value if isinstance(value, str) else json.dumps(value)}
        for name, value in body.items()
    }
    try:
        with errors_of("publish"):
            client("dynamodb").put_item(
                TableName=outputs()["EdgeTable"],
                Item={"pk": {"S": key}, "revision": {"N": str(revision)}, **item},
                ConditionExpression="attribute_not_exists(revision) OR revision <= :revision",
                ExpressionAttributeValues={":revision": {"N": str(revision)}},
            )
    except BackendRefused as refusal:
        if refusal.code != "ConditionalCheckFailedException":
            raise


def edge_delete(*, key: str) -> None:
    """Remove an item; not there is as good."""
    with errors_of("unpublish"):
        client("dynamodb").delete_item(TableName=outputs()["EdgeTable"], Key={"pk": {"S": key}})


def edge_revisions() -> dict[str, int]:
    """Return the revision of every item that the table has, by its key. Reads all of it."""
    found: dict[str, int] = {}
    with errors_of("read the edge table"):
        pages = (
            client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=outputs()["EdgeTable"],
                ProjectionExpression="pk, revision",
                ConsistentRead=True,
            )
        )
        for page in pages:
            found |= {item["pk"]["S"]: int(item["revision"]["N"]) for item in page["Items"]}
    return found

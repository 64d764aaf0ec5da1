"""Deploy the serverless backend: package, create or update the stack, wait.

A second run with no change does nothing. A stack that is lost (the local AWS after `kill -9`) or
failed halfway is made again; the API keeps its id locally, so usage plans keep pointing at it.

A known limit: functions are packaged without Pillow and the other packages that they need. The
local AWS runs them under its own interpreter, which has those; on Lambda they would be missing.
"""

import hashlib
import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings

from conversions import backend
from conversions.backend.buckets import code_bucket, files_bucket

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "serverless" / "template.yaml"
PACKAGED = ("imaging", "serverless/functions")
BUSY_ENDS = "_IN_PROGRESS"
BROKEN = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
STARTS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}
PATIENCE_SECONDS = 600


@dataclass(frozen=True)
class Deployed:
    """The stack's outputs, and whether anything was changed."""

    outputs: dict[str, str]
    was_changed: bool


def package() -> bytes:
    """Return the zip with the functions and what they share: the same bytes for the same files."""
    sources = [ROOT / "__init__.py", ROOT / "serverless" / "__init__.py"]
    for folder in PACKAGED:
        sources += sorted((ROOT / folder).glob("*.py"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sources:
            info = zipfile.ZipInfo(str(source.relative_to(ROOT.parent)), (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, source.read_bytes())
    return out.getvalue()


def deploy(*, say: Callable[[str], None] = lambda text: None) -> Deployed:
    """Bring the stack to what the files say; return its outputs.

    Raise BackendError where AWS refuses, cannot be reached, or rolls back; the reason is in it.
    """
    code = package()
    parameters = {
        "ApiId": settings.BACKEND_API_ID,
        "CodeBucket": code_bucket(),
        "CodeKey": f"functions-{hashlib.sha256(code).hexdigest()[:16]}.zip",
        "FilesBucket": files_bucket(),
        "EndpointUrl": settings.AWS_ENDPOINT_URL or "",
        "SiteUrl": settings.SITE_URL,
        "PortalUrl": settings.GATEWAY_PORTAL_URL,
        "GatewaySecret": settings.GATEWAY_SECRET,
        "Architecture": "x86_64",
    }
    with backend.errors_of("deploy"):
        backend.client("s3").put_object(
            Bucket=parameters["CodeBucket"], Key=parameters["CodeKey"], Body=code
        )
        was_changed = _apply(parameters, say)
    backend.outputs.cache_clear()
    return Deployed(outputs=backend.outputs(), was_changed=was_changed)


def _apply(parameters: dict[str, str], say: Callable[[str], None]) -> bool:
    stack = _stack()
    if stack and stack["StackStatus"].endswith(BUSY_ENDS):
        say("Another deployment is under way; waiting for it.")
        stack = _wait()
    if stack and stack["StackStatus"] in BROKEN:
        say(f"The stack is in {stack['StackStatus']}; it is made again.")
        backend.client("cloudformation").delete_stack(StackName=settings.BACKEND_STACK_NAME)
        stack = _wait()
    request: dict[str, Any] = {
        "StackName": settings.BACKEND_STACK_NAME,
        "TemplateURL": _template_url(parameters["CodeBucket"]),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    if stack is None:
        say("Creating the stack.")
        backend.client("cloudformation").create_stack(**request)
    else:
        if _is_current(stack, parameters, TEMPLATE.read_text(encoding="utf-8")):
            return False
        say("Updating the stack.")
        try:
            backend.client("cloudformation").update_stack(**request)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
    stack = _wait()
    status = stack["StackStatus"] if stack else "gone"
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise backend.BackendRefused(f"The stack ended in {status}: {_reasons()}")
    return True


def _template_url(bucket: str) -> str:
    key = "template.yaml"
    backend.client("s3").put_object(Bucket=bucket, Key=key, Body=TEMPLATE.read_bytes())
    if settings.AWS_ENDPOINT_URL:
        return f"{settings.AWS_ENDPOINT_URL}/{bucket}/{key}"
    return f"https://{bucket}.s3.{settings.AWS_REGION}.amazonaws.com/{key}"


def _is_current(stack: dict[str, Any], parameters: dict[str, str], template: str) -> bool:
    """Say whether the stack has these parameters and this template already."""
    known = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    if known != parameters:
        return False
    answer = backend.client("cloudformation").get_template(
        StackName=settings.BACKEND_STACK_NAME, TemplateStage="Original"
    )
    return bool(answer["TemplateBody"] == template)


def _stack() -> dict[str, Any] | None:
    try:
        answer = backend.client("cloudformation").describe_stacks(
            StackName=settings.BACKEND_STACK_NAME
        )
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    stack: dict[str, Any] = answer["Stacks"][0]
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def _wait() -> dict[str, Any] | None:
    """Wait until the stack is at rest, looking ever less often."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = 0.2
    while time.monotonic() < deadline:
        stack = _stack()
        if stack is None or not stack["StackStatus"].endswith(BUSY_ENDS):
            return stack
        time.sleep(pause)
        pause = min(pause * 1.5, 5)
    raise backend.BackendUnavailable(f"The stack was still busy after {PATIENCE_SECONDS} s.")


def _reasons() -> str:
    """Return why resources failed in the last operation, the first one first."""
    name = settings.BACKEND_STACK_NAME
    failed: list[str] = []
    pages = (
        backend.client("cloudformation")
        .get_paginator("describe_stack_events")
        .paginate(StackName=name)
    )
    for event in (event for page in pages for event in page["StackEvents"]):  # newest first
        status = event["ResourceStatus"]
        if status.endswith("_FAILED"):
            failed.insert(
                0, f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            )
        if event["LogicalResourceId"] == name and status in STARTS:
            break
    return "; ".join(failed) or "no reason was given"

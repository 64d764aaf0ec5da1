"""Deploy the serverless backend: package it, show what would change, change it, wait.

A second run with no change does nothing, and one after a crash goes on: a stack that is busy is
waited for, one that could not be created is made again. Where an update fails, CloudFormation
brings back what was there, which has served all the while.

packages.py     the functions' zip
changes.py      what would be done
operations.py   what is being done
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from conversions import backend, reference
from conversions.backend import packages
from conversions.backend.buckets import code_bucket, files_bucket
from conversions.backend.changes import ChangeSet, change_set_create
from conversions.backend.operations import REVIEWED, Operation, Say, is_busy, stack_find

# Nothing of such a stack has ever served, or it was on its way out.
BROKEN = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


class Declined(Exception):
    """The changes were shown, and are not wanted. Nothing was done."""


@dataclass(frozen=True)
class Deployed:
    """The stack's outputs, and whether anything was changed."""

    outputs: dict[str, str]
    was_changed: bool


def deploy(
    *,
    say: Say = lambda text: None,
    agree: Callable[[ChangeSet], bool] = lambda changes: True,
) -> Deployed:
    """Bring the stack to what the files say, if `agree` does; return its outputs.

    Raise Declined, or BackendError where AWS refuses, cannot be reached, or rolls back; the reason
    is in it.
    """
    _demand_https()
    stack = _at_rest(say)
    request = _request()
    kind = "UPDATE"
    if stack is None or stack["StackStatus"] == REVIEWED:
        # What cannot be created is rolled back, and then deleted, so that the next run can.
        kind, request["OnStackFailure"] = "CREATE", "DELETE"
    changes = change_set_create(kind=kind, request=request)
    was_changed = True
    if changes is not None:
        if not agree(changes):
            _discard(changes, kind)
            raise Declined
        _run(changes.stack_id, "execute_change_set", say, ChangeSetName=changes.id)
    elif stack is not None and _outputs_differ(stack):
        _run(stack["StackId"], "update_stack", say, **request)
    else:
        was_changed = False
    backend.outputs.cache_clear()
    return Deployed(outputs=backend.outputs(), was_changed=was_changed)


def _demand_https() -> None:
    """Raise BackendRefused where AWS would call the portal in the clear, with the secret.

    Nor could that be changed alone: the scheme is part of methods, which a deployment keeps.
    """
    address = settings.GATEWAY_PORTAL_URL
    if settings.AWS_ENDPOINT_URL is None and not address.startswith("https://"):
        raise backend.BackendRefused(f"GATEWAY_PORTAL_URL has to be https on AWS, not {address}")


def _at_rest(say: Say) -> dict[str, Any] | None:
    """Return the stack once nothing happens to it, and something can; None where there is none."""
    stack = _stack()
    if stack and is_busy(stack["StackStatus"]):
        say("Another deployment is under way; waiting for it.")
        operation = Operation(stack["StackId"])
        status = operation.finish(say)
        say(f"It ended in {status}{'' if status in DONE else f': {operation.reasons}'}")
        stack = _stack()
    if stack and stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED":
        raise backend.BackendRefused(
            "An update failed, and what was there before could not be brought back"
            f" ({stack.get('StackStatusReason') or 'no reason was given'}). Mend what the stack's"
            " events name, run `aws cloudformation continue-update-rollback --stack-name"
            f" {settings.BACKEND_STACK_NAME}`, and then this again."
        )
    if stack and stack["StackStatus"] in BROKEN:
        say(f"The stack is in {stack['StackStatus']}; it is made again.")
        _delete(stack["StackId"], say)
        return None
    return stack


def _stack() -> dict[str, Any] | None:
    stack = stack_find(settings.BACKEND_STACK_NAME)
    return None if stack is None or stack["StackStatus"] == "DELETE_COMPLETE" else stack


def _delete(stack_id: str, say: Say) -> None:
    _run(stack_id, "delete_stack", say, StackName=stack_id)


def _discard(changes: ChangeSet, kind: str) -> None:
    with backend.errors_of("delete_change_set"):
        backend.client("cloudformation").delete_change_set(ChangeSetName=changes.id)
    if kind == "CREATE":  # the stack was only there to be reviewed
        _delete(changes.stack_id, lambda text: None)


def _run(stack_id: str, call: str, say: Say, **parameters: Any) -> None:
    """Make a call that sets off an operation, and wait for its end. Raise where it went wrong."""
    operation = Operation(stack_id)
    with backend.errors_of(call):
        getattr(backend.client("cloudformation"), call)(**parameters)
    status = operation.finish(say)
    wanted = {"DELETE_COMPLETE"} if call == "delete_stack" else DONE
    if status not in wanted:
        raise backend.BackendRefused(f"The stack ended in {status}: {operation.reasons}")


# --- What the stack should be ---


def _request() -> dict[str, Any]:
    """Return what every call that changes the stack needs; template and package are in S3."""
    target = packages.target()
    bucket = code_bucket()
    parameters = {
        "StageName": settings.BACKEND_STAGE,
        "CodeBucket": bucket,
        "CodeKey": _package_put(bucket, target),
        "FilesBucket": files_bucket(),
        "EndpointUrl": settings.AWS_ENDPOINT_URL or "",
        "SiteUrl": settings.SITE_URL,
        "PortalUrl": settings.GATEWAY_PORTAL_URL,
        "GatewaySecret": settings.GATEWAY_SECRET,
    }
    if target is not None:
        parameters["Architecture"] = target.architecture
    return {
        "StackName": settings.BACKEND_STACK_NAME,
        "TemplateURL": _template_put(bucket),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }


def _package_put(bucket: str, target: packages.Target | None) -> str:
    """Have the functions' package in the bucket; return its key."""
    key = packages.name(target)
    s3 = backend.client("s3")
    with backend.errors_of("store the package"):
        if s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 0:
            s3.put_object(Bucket=bucket, Key=key, Body=packages.build(target))
    return key


def _template_put(bucket: str) -> str:
    """Have the template in the bucket, being too long for a request; return its address.

    A signed link has the address as the region and its partition write it, and CloudFormation reads
    it by the caller's own permissions.
    """
    template = reference.TEMPLATE.read_bytes()
    key = f"template-{hashlib.sha256(template).hexdigest()[:16]}.yaml"
    s3 = backend.client("s3")
    with backend.errors_of("store the template"):
        s3.put_object(Bucket=bucket, Key=key, Body=template)
        link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    return str(link).partition("?")[0]


def _outputs_differ(stack: dict[str, Any]) -> bool:
    """Say whether the template names other outputs than the stack has.

    AWS counts them as changes, ministack's change sets know resources only.
    """
    named = {item["OutputKey"] for item in stack.get("Outputs", [])}
    return named != reference.outputs(reference.TEMPLATE.read_text("utf-8"))

"""The buckets, of packages and of files. They outlive the stack, so the stack does not own them.

Were the files' bucket a resource of the stack, it would have to be kept when the stack goes, and
CloudFormation would then refuse to make the stack again: a bucket of that name exists. At the local
AWS that is what `kill -9` does, which loses stacks but no files.
"""

from typing import Any

from django.conf import settings

from conversions import backend

# Our lifecycle rules: the name of each, and the prefix of the keys that it is for.
LIFECYCLE = {"sekisho-uploads": "uploads/", "sekisho-variants": "variants/"}


def code_bucket() -> str:
    """Return the bucket for packages, made where it is not there yet. Raise BackendError."""
    return _bucket("code")


def files_bucket() -> str:
    """Return the bucket for uploads and variants, made where it is not there yet, and set up.

    The portal's pages may post and get; it tells EventBridge of what arrives. Raise BackendError.
    """
    bucket = _bucket("files")
    with backend.errors_of("set up the files' bucket"):
        s3 = backend.client("s3")
        rule = {
            "AllowedMethods": ["GET", "POST"],
            "AllowedOrigins": [settings.SITE_URL],
            "AllowedHeaders": ["*"],
            "MaxAgeSeconds": 3600,
        }
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
    return bucket


def files_lifecycle_put(*, days: int | None) -> bool:
    """Have S3 delete files this many days after they were written, None for never; and what was
    begun in parts and never ended, after a day. Return whether that was a change.

    S3 takes all rules of a bucket at once: those of other names are given back to it as they are.
    Raise BackendError.
    """
    bucket = backend.outputs()["FilesBucket"]
    there = _lifecycle(bucket)
    rules = {rule["ID"]: rule for rule in there["Rules"]}
    ours = {name: _lifecycle_rule(name, days) for name in LIFECYCLE}
    if rules == rules | ours:
        return False
    there["Rules"] = list((rules | ours).values())
    with backend.errors_of("set up the lifecycle of files"):
        backend.client("s3").put_bucket_lifecycle_configuration(
            Bucket=bucket,
            LifecycleConfiguration={"Rules": there.pop("Rules")},
            **there,
        )
    return True


def _lifecycle(bucket: str) -> dict[str, Any]:
    """Return a bucket's rules, and from which size on they move objects, where S3 says so."""
    try:
        with backend.errors_of("read the lifecycle of files"):
            answer = backend.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket)
    except backend.BackendRefused as refusal:
        if refusal.code != "NoSuchLifecycleConfiguration":
            raise
        return {"Rules": []}
    told = ("Rules", "TransitionDefaultMinimumObjectSize")
    return {name: answer[name] for name in told if name in answer}


def _lifecycle_rule(name: str, days: int | None) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": LIFECYCLE[name]},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    return rule if days is None else rule | {"Expiration": {"Days": days}}


def _bucket(purpose: str) -> str:
    """Return a bucket that nobody reads without a signed link."""
    with backend.errors_of("look up the account"):
        account = backend.client("sts").get_caller_identity()["Account"]
    bucket = f"{settings.BACKEND_STACK_NAME}-{purpose}-{account}"
    where: dict[str, Any] = {}
    if settings.AWS_REGION != "us-east-1":  # which must not be named (CreateBucket)
        where = {"CreateBucketConfiguration": {"LocationConstraint": settings.AWS_REGION}}
    try:
        with backend.errors_of(f"create {bucket}"):
            backend.client("s3").create_bucket(Bucket=bucket, **where)
    except backend.BackendRefused as refusal:
        if refusal.code != "BucketAlreadyOwnedByYou":
            raise
    with backend.errors_of(f"close {bucket} to the public"):
        backend.client("s3").put_public_access_block(
            Bucket=bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        )
    return bucket

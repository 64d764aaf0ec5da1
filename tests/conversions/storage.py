"""Objects that are put into S3 by hand."""

from conversions import backend


def put(key: str, data: bytes) -> str:
    """Write an object of the files' bucket; return its key."""
    bucket = backend.outputs()["FilesBucket"]
    backend.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    return key

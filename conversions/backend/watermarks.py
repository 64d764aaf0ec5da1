"""Watermarks, where the functions read them: named by their bytes, so that none ever changes."""

from conversions.backend import client, errors_of, outputs


def watermark_put(*, key: str, data: bytes) -> None:
    """Write a watermark under its key; there already is as good. Raise BackendError."""
    with errors_of("write a watermark"):
        client("s3").put_object(
            Bucket=outputs()["FilesBucket"],
            Key=f"watermarks/{key}.png",
            Body=data,
            ContentType="image/png",
        )

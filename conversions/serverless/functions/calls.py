"""What all answers of the sold API share: whose call it is, how it is refused, links to files."""

import os
from http import HTTPStatus
from urllib.parse import quote

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from conversions.serverless.functions import edge
from conversions.serverless.functions.clients import client

LINK_SECONDS = 3600  # how long a form, or a link, is good


class Refused(Exception):
    """What is asked for cannot be had. `code` is for machines, str() for people."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def not_found(text: str) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "not_found", text)


def caller(call: APIGatewayProxyEvent) -> edge.Caller:
    """Return whose call it is. Raise Refused, or NotPublished of a key that is too new."""
    key_id = call.request_context.identity.api_key_id
    if not key_id:
        # As for a method that asks for no key: nobody can be told whose call it is.
        text = "The gateway did not say whose key this call came with."
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "no_key", text)
    return edge.caller(key_id)


def link(key: str) -> str:
    """Return an address of an object in S3, good for LINK_SECONDS."""
    return _link(Key=key)


def download_link(key: str, *, filename: str) -> str:
    """Return the same of what others sent us: saved under this name, and never opened.

    What its uploader said that it is would be: a page, with scripts, from our bucket.
    """
    return _link(
        Key=key,
        ResponseContentType="application/octet-stream",
        ResponseContentDisposition=f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
    )


def _link(**parameters: str) -> str:
    return str(
        client("s3").generate_presigned_url(
            "get_object",
            Params={"Bucket": os.environ["FILES_BUCKET"], **parameters},
            ExpiresIn=LINK_SECONDS,
        )
    )

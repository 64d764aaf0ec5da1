"""Uploads: made, listed, looked after, shared and deleted.

POST   /v1/uploads         a form to post a file with, and which presets to make of it
GET    /v1/uploads         what there is, newest first, a page at a time
GET    /v1/uploads/{id}    where it is, with links to its file and to every variant
PATCH  /v1/uploads/{id}    whether everybody may see the variants
DELETE /v1/uploads/{id}    it, its file and its variants
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from conversions.names import listing_place, variant_of
from conversions.serverless.functions import asked, edge, listing, records, sharing
from conversions.serverless.functions.calls import (
    LINK_SECONDS,
    Refused,
    caller,
    download_link,
    link,
    not_found,
)
from conversions.serverless.functions.clients import client

SMALLEST, LARGEST = 1, 20_000_000  # bytes of an upload

router = APIGatewayRouter()  # type: ignore[no-untyped-call]  # its maker has no types


@router.post("/v1/uploads")
def upload_create() -> tuple[dict[str, Any], int]:
    """A new upload, with the form that the file is to be posted with."""
    who = caller(router.current_event)
    with _refused("bad_request_body"):
        wanted = asked.new_upload(router.current_event.body)
    presets = wanted.presets
    known = {preset["code"] for preset in edge.account(who.tenant).presets}
    if presets is not None and (unknown := sorted(set(presets) - known)):
        text = f"Unknown presets: {', '.join(unknown)}."
        raise Refused(HTTPStatus.BAD_REQUEST, "unknown_presets", text)
    upload, now = str(uuid.uuid4()), datetime.now(UTC)
    item = records.upload_create(
        tenant=who.tenant,
        upload=upload,
        filename=wanted.filename,
        presets=presets,
        created_at=now.isoformat(),
        listed=listing_place(upload=upload, created_at=now),
    )
    about = {"tenant": who.tenant, "upload": upload, **records.about(item)}
    records.report({"kind": "created", **about, "requested": presets})
    sharing.share(item=item, is_public=wanted.is_public, by=who)
    form = client("s3").generate_presigned_post(
        os.environ["FILES_BUCKET"],
        f"uploads/{who.tenant}/{upload}/source",
        Fields={"Content-Type": wanted.content_type},
        Conditions=[
            ["content-length-range", SMALLEST, LARGEST],
            {"Content-Type": wanted.content_type},
        ],
        ExpiresIn=LINK_SECONDS,
    )
    return {
        "id": upload,
        "state": "waiting",
        "form": {"url": form["url"], "fields": form["fields"], "expires_in": LINK_SECONDS},
    }, HTTPStatus.CREATED


@router.get("/v1/uploads")
def uploads_list() -> dict[str, Any]:
    """What there is, newest first, and the cursor that leads on."""
    with _refused("bad_request_parameters"):
        wanted = asked.page(router.current_event.query_string_parameters)
    items, cursor = listing.page(
        tenant=caller(router.current_event).tenant,
        limit=wanted.limit,
        before=wanted.cursor,
        state=wanted.state,
    )
    return {"uploads": [_summary(item) for item in items], "next_cursor": cursor}


@router.get("/v1/uploads/<upload>")
def upload_read(upload: str) -> dict[str, Any]:
    """Where an upload is, and a link to each variant that is there."""
    return _upload(_mine(records.upload(tenant=caller(router.current_event).tenant, upload=upload)))


@router.patch("/v1/uploads/<upload>")
def upload_update(upload: str) -> dict[str, Any]:
    """Let everybody see an upload's variants, or nobody any more."""
    who = caller(router.current_event)
    with _refused("bad_request_body"):
        is_public = asked.is_public(router.current_event.body)
    item = _mine(records.upload(tenant=who.tenant, upload=upload))
    sharing.share(item=item, is_public=is_public, by=who)
    return _upload(_mine(records.upload(tenant=who.tenant, upload=upload)))


@router.delete("/v1/uploads/<upload>")
def upload_delete(upload: str) -> Response[str]:
    """Delete an upload, once and for all. Again changes nothing."""
    who = caller(router.current_event)
    item = _mine(records.upload(tenant=who.tenant, upload=upload, even_deleted=True))
    if "deleted" not in item:
        sharing.delete(item=item, by=who)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _mine(item: records.Item) -> records.Item:
    if not item:
        raise not_found("You have no upload with this id.")
    return item


@contextmanager
def _refused(code: str) -> Iterator[None]:
    """Tell the caller what is wrong with the call."""
    try:
        yield
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, code, str(error)) from error


def _summary(item: records.Item) -> dict[str, Any]:
    """Return what a list says of an upload: of its file, only what was found in it."""
    state = records.state(item)
    return {
        "id": item["sk"].removeprefix("upload#"),
        "state": state,
        "filename": item.get("filename"),
        "created_at": item.get("created_at"),
        "file_type": item.get("file_type"),
        "format": item.get("format"),
        **{name: _number(item.get(name)) for name in ("width", "height", "bytes")},
        "public": "public_id" in item,
        "expected": len(records.newest(item.get("expected", ()))),
        "made": len(records.newest(records.variants(item))),
        "error": item.get("failure", records.GAVE_UP) if state == "failed" else None,
    }


def _upload(item: records.Item) -> dict[str, Any]:
    """Return all that is known of an upload, with links."""
    there, source_url = records.variants(item), None
    if "bytes" in item:
        key = f"uploads/{item['pk']}/{item['sk'][7:]}/source"
        source_url = download_link(key, filename=item.get("filename", "source"))
    return {
        **_summary(item),
        "source_url": source_url,
        "variants": [_variant(item, there[name]) for name in sorted(records.newest(there))],
        "failed": [
            {"preset": variant_of(name)[0], **failure}
            for name, failure in sorted(records.failures(item).items())
        ],
    }


def _variant(item: records.Item, variant: dict[str, Any]) -> dict[str, Any]:
    public_url = None
    if "public_id" in item:
        public_url = f"{os.environ['SITE_URL']}/p/{item['public_id']}/{variant['preset']}"
    return {
        "preset": variant["preset"],
        "format": variant["format"],
        **{name: _number(variant[name]) for name in ("width", "height", "bytes")},
        "saved": int(item["bytes"] - variant["bytes"]),
        "url": link(variant["key"]),
        "public_url": public_url,
    }


def _number(value: Any) -> int | None:
    return None if value is None else int(value)

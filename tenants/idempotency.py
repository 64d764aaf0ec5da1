"""Idempotency-Key: a call that is sent again does nothing again, and is answered the same.

The header of draft-ietf-httpapi-idempotency-key-header, with Stripe's meaning of it. It works for
every unsafe call, and no view knows of it. What is done and the note of it are one transaction
(tenants/services/idempotency.py), since the API's acts are rows; what follows outside, such as a
key's way to the gateway, follows those rows, once.

What is shown once is not kept: a repeat answers null there, and says that it is one.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.models import Tenant
from tenants.services.idempotency import Answer, call_once

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
SHOWN_ONCE = frozenset({"value", "secret"})  # members of an answer
LONGEST_SECONDS = 60  # of a call; whoever died in one is not waited for any longer


class KeyInvalid(APIException):
    status_code, default_code = 400, "idempotency_key_invalid"
    default_detail = "An Idempotency-Key has 1 to 255 characters of ASCII."


class KeyInUse(APIException):
    status_code, default_code = 409, "idempotency_key_in_use"
    default_detail = "The first call with this Idempotency-Key is not answered yet."


class KeyReused(APIException):
    status_code, default_code = 422, "idempotency_key_reused"
    default_detail = "This Idempotency-Key came with another call before."


def key_of(request: Request) -> str | None:
    """Return the call's key; None without one, or where nothing is changed. Raise KeyInvalid."""
    key = request.headers.get(HEADER)
    if key is None or request.method in SAFE_METHODS:
        return None
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise KeyInvalid
    return key


def answered_once(
    *, tenant: Tenant, caller: str, key: str, request: Request, handler: Callable[[], Response]
) -> Response:
    """Let the handler answer, or answer as it did before. Raise KeyInUse or KeyReused."""
    sent = f"{request.method} {request.get_full_path()}\n".encode() + request.body
    fingerprint = hashlib.sha256(sent).hexdigest()
    done: list[Response] = []

    def act() -> Answer:
        done.append(handler())
        return Answer(done[0].status_code, _kept(done[0]))

    with _alone(f"idempotent:{tenant.pk}:{caller}:{_short(key)}"):
        before = call_once(
            tenant=tenant,
            caller=caller,
            key=key,
            fingerprint=fingerprint,
            act=act,
            now=timezone.now(),
        )
    if before is None:
        return done[0]
    if before.fingerprint != fingerprint:
        raise KeyReused
    return Response(before.body, status=before.status, headers={REPLAYED: "true"})


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Raise KeyInUse while another call is in here. It spares the caller the wait, and no more:
    without a cache, the second waits for the first in the database.
    """
    try:
        is_first = cache.add(name, True, timeout=LONGEST_SECONDS)
    except RedisError:
        yield
        return
    if not is_first:
        raise KeyInUse
    try:
        yield
    finally:
        with suppress(RedisError):  # it ends by itself; what was done is to be answered
            cache.delete(name)


def _kept(response: Response) -> object:
    """Return an answer's body as it is kept: as JSON has it, without what is shown once."""
    body = json.loads(JSONRenderer().render(response.data) or b"null")
    if isinstance(body, dict):
        return {name: None if name in SHOWN_ONCE else it for name, it in body.items()}
    return body


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

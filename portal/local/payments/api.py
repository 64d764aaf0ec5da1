"""One call of the API: who is asking, what for, was it asked before, and what came of it."""

import base64
import binascii
import secrets
from typing import Any

from . import idempotency, routes
from .errors import ApiError, CardError, InvalidParameter
from .faults import Faults
from .http import Request, Response, json_response
from .params import decode
from .present import present
from .resources import due
from .store import API_VERSION, Store, Transaction, new_id


class Api:
    """Answers everything under /v1 for the holder of the secret key."""

    def __init__(self, store: Store, faults: Faults, secret_key: str) -> None:
        self._store = store
        self._faults = faults
        self._secret_key = secret_key
        self._in_flight = idempotency.InFlight()

    def answer(self, request: Request) -> Response:
        """Raises Dropped where a fault says so."""
        request_id = new_id("req_", 14)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
        }
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            self._authenticate(request)
            route, ids = self._route(request)
            params = decode(_text(request.body) if request.method == "POST" else request.query)
            mark = idempotency.fingerprint(request.method, request.path, params)
            with self._in_flight.claim(key):
                self._faults.strike(route.operation, "before")
                with self._store.transaction(request_id=request_id, idempotency_key=key) as tx:
                    kept = idempotency.recall(tx, key, mark) if key is not None else None
                    status, body, original = kept or (*_execute(tx, route, ids, params), None)
                    if key is not None and kept is None:
                        idempotency.remember(
                            tx,
                            key=key,
                            mark=mark,
                            status=status,
                            body=body,
                            request_id=request_id,
                        )
                self._faults.strike(route.operation, "after")
        except ApiError as error:
            return json_response(error.status, error.body, headers)
        if original is not None:
            headers.update({"Idempotent-Replayed": "true", "Original-Request": original})
        return json_response(status, body, headers)

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":  # curl -u sk_test_…:
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        elif scheme.lower() != "bearer":
            given = ""
        if not given:
            raise ApiError(
                "You did not provide an API key. Provide it in the Authorization header, as in "
                "'Authorization: Bearer YOUR_SECRET_KEY'.",
                status=401,
            )
        if not secrets.compare_digest(given.encode(), self._secret_key.encode()):
            shown = f"{given[:8]}{'*' * 8}{given[-4:]}" if len(given) > 16 else "*" * 8
            raise ApiError(f"Invalid API Key provided: {shown}", status=401)

    def _route(self, request: Request) -> tuple[routes.Route, list[str]]:
        found = routes.find(request.method, request.path)
        if found is None:
            raise ApiError(
                f"Unrecognized request URL ({request.method}: {request.path}). The local payments "
                "know only a part of Stripe's API.",
                status=404,
            )
        return found


def _execute(
    tx: Transaction, route: routes.Route, ids: list[str], params: dict[str, Any]
) -> tuple[int, Any]:
    """The answer. A refusal takes back what was begun, but a decline stays on record."""
    checked = route.schema.read(params, "")
    due.happen(tx)
    tx.db.execute("SAVEPOINT call")
    try:
        document = route.handler(tx, checked, *ids)
        if document["object"] != "list":
            document = present(tx, document, checked.get("expand", []))
    except InvalidParameter:
        raise
    except ApiError as error:
        if not isinstance(error, CardError):
            tx.db.execute("ROLLBACK TO call")
        return error.status, error.body
    return 200, document


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ApiError("The request's body is not valid UTF-8.") from None

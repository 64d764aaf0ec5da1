"""Tags by ARN, of keys and usage plans, which are ours, and of APIs and stages, which ministack
keeps: `arn:aws:apigateway:{region}::/apikeys/{id}`, `…::/restapis/{id}/stages/{name}`.

ministack keeps tags twice, and shows what was written by ARN nowhere else. Here they are the
thing's own.
"""

import json
import re
from urllib.parse import quote

from portal.local.aws.errors import BadRequest, Unsupported
from portal.local.aws.kept import ask, replace
from portal.local.aws.keys import Keys
from portal.local.aws.plan_model import tags_of
from portal.local.aws.plans import Plans
from portal.local.aws.store import Store
from portal.local.aws.wire import Request

_ARN = re.compile(r"arn:[^/:]+:apigateway:[^/:]*:[^/:]*:/(?P<kind>\w+)/(?P<id>[^/]+)(?P<rest>/.+)?")


class Tags:
    """Reads and writes raise NotFound, BadRequest, Passed."""

    def __init__(self, store: Store, keys: Keys, plans: Plans) -> None:
        self._store = store
        self._keys = keys
        self._plans = plans

    async def read(self, request: Request, arn: str) -> dict[str, str]:
        kind, identifier, path = _target(arn)
        if kind == "usageplans":
            return self._plans.get(identifier).tags
        tags: dict[str, str]
        if kind == "apikeys":
            tags = json.loads(self._keys.row(identifier)["tags"])
        else:
            tags = (await ask(request, "GET", path)).get("tags") or {}
        return tags

    async def add(self, request: Request, arn: str, tags: object) -> None:
        await self._write(request, arn, {**await self.read(request, arn), **tags_of(tags)})

    async def remove(self, request: Request, arn: str, names: list[str]) -> None:
        kept = {k: v for k, v in (await self.read(request, arn)).items() if k not in names}
        await self._write(request, arn, kept)

    async def _write(self, request: Request, arn: str, tags: dict[str, str]) -> None:
        kind, identifier, path = _target(arn)
        if kind == "usageplans":
            self._plans.retag(identifier, tags)
        elif kind == "apikeys":
            with self._store.transaction() as db:
                db.execute(
                    "UPDATE api_key SET tags = ? WHERE id = ?", (json.dumps(tags), identifier)
                )
        elif kind == "restapis":
            await replace(request, path, {"tags": tags})
        else:
            raise Unsupported(f"TagResource of {kind}")


def _target(arn: str) -> tuple[str, str, str]:
    """What an ARN names: its kind, its id, and the path of its own."""
    match = _ARN.fullmatch(arn)
    if match is None or match["kind"] not in ("apikeys", "usageplans", "restapis", "domainnames"):
        raise BadRequest("Invalid resource ARN specified")
    path = f"/{match['kind']}/{match['id']}{match['rest'] or ''}"
    return match["kind"], match["id"], quote(path)

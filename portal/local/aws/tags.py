"""Tags on keys and usage plans, by ARN: `arn:aws:apigateway:{region}::/apikeys/{id}`."""

import json

from portal.local.aws.keys import Keys
from portal.local.aws.plan_model import tags_of
from portal.local.aws.plans import Plans
from portal.local.aws.store import Store


class Tags:
    def __init__(self, store: Store, keys: Keys, plans: Plans) -> None:
        self._store = store
        self._keys = keys
        self._plans = plans

    def read(self, arn: str) -> dict[str, str]:
        """The tags of a key or plan. Raises NotFound."""
        kind, identifier = _target(arn)
        if kind == "usageplans":
            return self._plans.get(identifier).tags
        tags: dict[str, str] = json.loads(self._keys.row(identifier)["tags"])
        return tags

    def add(self, arn: str, tags: object) -> None:
        self._write(arn, {**self.read(arn), **tags_of(tags)})

    def remove(self, arn: str, names: list[str]) -> None:
        self._write(arn, {k: v for k, v in self.read(arn).items() if k not in names})

    def _write(self, arn: str, tags: dict[str, str]) -> None:
        kind, identifier = _target(arn)
        if kind == "usageplans":
            self._plans.retag(identifier, tags)
            return
        with self._store.transaction() as db:
            db.execute("UPDATE api_key SET tags = ? WHERE id = ?", (json.dumps(tags), identifier))


def _target(arn: str) -> tuple[str, str]:
    _, kind, identifier = arn.rpartition(":")[2].split("/", 2)
    return kind, identifier

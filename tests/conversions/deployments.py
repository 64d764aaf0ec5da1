"""`manage.py deploy_backend`, and a template to deploy that is not the real one."""

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from conversions import reference

# A resource that cannot be made, which shows once it is tried.
FAILING = "  Failing: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: nowhere}}\n"


def deploy(*arguments: str) -> str:
    out = io.StringIO()
    call_command("deploy_backend", *arguments, stdout=out)
    return out.getvalue()


class Template:
    """The template that is deployed from now on: the real one, edited."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._original, self._copy = reference.TEMPLATE, folder / "template.yaml"
        self._monkeypatch = monkeypatch

    def edit(self, old: str, new: str) -> None:
        text = self._original.read_text("utf-8")
        assert old in text
        self._copy.write_text(text.replace(old, new, 1), "utf-8")
        self._monkeypatch.setattr(reference, "TEMPLATE", self._copy)

    def add(self, resource: str) -> None:
        self.edit("Resources:\n", f"Resources:\n{resource}")

    def restore(self) -> None:
        self._monkeypatch.setattr(reference, "TEMPLATE", self._original)

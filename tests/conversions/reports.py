"""Reports as the functions write them, how they are read, and how they are applied."""

from typing import Any

from django.utils import timezone

from conversions import backend, services
from conversions.models import Upload
from tests.cast import Cast

Report = dict[str, Any]
NAMES = ["thumb-v1.webp", "web-v1.jpg"]


def waiting(cast: Cast) -> Upload:
    now = timezone.now()
    return Upload.objects.create(
        tenant=cast.alice_corp, filename="a.jpg", declared_size=9, created_at=now, checked_at=now
    )


def report(upload: Upload, kind: str, **said: Any) -> Report:
    about = {"bytes": 9, "width": 4, "height": 3, "format": "PNG", "file_type": "image"}
    whose = {"tenant": str(upload.tenant.uuid), "upload": str(upload.uuid)}
    return {"kind": kind, **whose, **about, **said}


def started(
    upload: Upload,
    expected: list[str] = NAMES,
    *,
    plan: int = 1,
    to_make: list[str] | None = None,
) -> Report:
    names = expected if to_make is None else to_make
    return report(upload, "started", plan=plan, expected=expected, to_make=names)


def variant(upload: Upload, name: str, *, of: str = '"red"') -> Report:
    code, version = name.split(".", maxsplit=1)[0].split("-v")
    made = {"variant_bytes": 5, "variant_width": 2, "variant_height": 1, "of": of}
    key = f"variants/{upload.tenant.uuid}/{upload.uuid}/{name}"
    return report(upload, "variant", variant_key=key, preset=code, version=int(version), **made)


def unmade(upload: Upload, *names: str, plan: int = 1, code: str = "storage") -> Report:
    return report(upload, "unmade", names=list(names), plan=plan, code=code)


def died(upload: Upload, *names: str, plan: int = 1) -> None:
    """Apply the dead letter of a unit whose function was killed."""
    source = {"tenant": str(upload.tenant.uuid), "upload": str(upload.uuid), "plan": plan}
    body = {"source": source, "names": list(names), "unit": 1, "units": 1}
    services.work_died(body=body, now=timezone.now())


def rows(upload: Upload) -> dict[str, tuple[str, str]]:
    """Return state and error of each variant, by preset and version."""
    return {
        f"{row.preset_code}-v{row.preset_version}": (row.state, row.error_code)
        for row in upload.conversions.all()
    }


def failed(upload: Upload) -> Report:
    key = f"uploads/{upload.tenant.uuid}/{upload.uuid}/source"
    asked = {"detail": {"object": {"key": key}}}
    return {"kind": "failed", "input": asked, "error": "x", "cause": "y"}


def apply(*reports: Report) -> None:
    for report in reports:
        services.result_apply(body=report, now=timezone.now())


def reported(source: dict[str, Any]) -> list[Report]:
    """Return what was reported of an upload; the queue is empty after that."""
    found = []
    while results := backend.results_receive(wait_seconds=1):
        for result in results:
            if result.body.get("upload") == source["upload"]:
                found.append(result.body)
            backend.result_delete(result=result)
    return found

"""The functions' package: one zip with their code and what they import, the same for all of them.

One zip and no layer: Pillow and PDFium are most of the size, and the functions that do not import
them do little. Lambda takes 50 MB where a zip is sent to it, and 250 MB unzipped wherever it comes
from (a function and its layers together); this one comes from S3, and is a quarter and a seventh of
that. boto3 is not in it: Lambda's Python runtimes have it.

A package is known by the digest of all that it is made of, so what is in the bucket already is not
made again. Dependencies are kept in VAR_DIR by the digest of their lock file.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from conversions import backend, reference

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "serverless" / "requirements.txt"
PACKAGED = ("filetypes", "imaging", "serverless/functions")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip knows; ours must not tell when it was made
# What pip notes of its own work differs from machine to machine, and scripts name its interpreter.
LEFT_OUT = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
# Lambda's words for processors, and those of wheels.
# Its runtimes (Amazon Linux 2023) have glibc 2.34.
WHEELS = {"x86_64": "x86_64", "arm64": "aarch64"}
GLIBCS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")


@dataclass(frozen=True)
class Target:
    """Where a package with dependencies runs: a Python such as "3.13", on "arm64" or "x86_64"."""

    python: str
    architecture: str


def target() -> Target | None:
    """Return what BACKEND_PACKAGE asks for; None: the code alone, dependencies are there."""
    kind, _, architecture = settings.BACKEND_PACKAGE.partition("-")
    return Target(python=runtime(), architecture=architecture) if kind == "lambda" else None


def runtime() -> str:
    """Return the Python of the template's functions, such as "3.13"."""
    (only,) = {
        resource["Properties"]["Runtime"]
        for resource in reference.resources(reference.TEMPLATE.read_text("utf-8")).values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    return str(only).removeprefix("python")


def name(of: Target | None) -> str:
    """Return a package's file name. It follows from the code, the lock file and the target."""
    digest = hashlib.sha256(repr(of).encode())
    for source in [Path(__file__), *([REQUIREMENTS] if of else []), *_code()]:
        digest.update(source.name.encode() + source.read_bytes())
    return f"functions-{digest.hexdigest()[:16]}.zip"


def build(of: Target | None) -> bytes:
    """Return the zip: the same bytes for the same code, lock file and target.

    Raise BackendError where dependencies have to be installed, and cannot be.
    """
    files = [(source, source.relative_to(ROOT.parent)) for source in _code()]
    if of is not None:
        folder = _dependencies(of)
        files += [(source, source.relative_to(folder)) for source in _installed(folder)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for source, path in files:
            info = zipfile.ZipInfo(path.as_posix(), EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, source.read_bytes(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _code() -> list[Path]:
    sources = [ROOT / "__init__.py", ROOT / "names.py", ROOT / "serverless" / "__init__.py"]
    for folder in PACKAGED:
        sources += sorted((ROOT / folder).rglob("*.py"))
    return sources


def _installed(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        is_pips = inside.parts[0].endswith(".dist-info") and path.name in LEFT_OUT
        if path.is_file() and inside.parts[0] != "bin" and not is_pips:
            yield path


def _dependencies(of: Target) -> Path:
    """Return the folder with what the lock file names, for this target; install it if need be."""
    digest = hashlib.sha256(repr(of).encode() + REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder: Path = settings.VAR_DIR / "packages" / f"{of.architecture}-{digest}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
        _install(of, Path(draft, "whole"))
        try:
            Path(draft, "whole").rename(folder)
        except OSError:
            if not folder.exists():  # by another run, just now
                raise
    return folder


def _install(of: Target, folder: Path) -> None:
    # Wheels only, each with its hash. The lock file is complete, and pip would judge by the running
    # interpreter which dependencies another one has.
    options = ["--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    platforms = [f"--platform={glibc}_{WHEELS[of.architecture]}" for glibc in GLIBCS]
    interpreter = ["--implementation=cp", f"--python-version={of.python}", *platforms]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", *quiet, *options, *interpreter),
            *("--target", str(folder), "--requirement", str(REQUIREMENTS)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise backend.BackendError(
            f"The functions' dependencies cannot be installed for {of.architecture} and"
            f" Python {of.python}: {done.stderr.strip()}"
        )

"""The functions' package: what is in it, for which machine, and that it is enough on its own."""

import io
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3
import pytest
from django.conf import LazySettings

from conversions import reference
from conversions.backend import BackendError, packages
from conversions.backend.packages import Target

HANDLERS = {
    resource["Properties"]["Handler"]
    for resource in reference.resources(reference.TEMPLATE.read_text("utf-8")).values()
    if resource["Type"] == "AWS::Lambda::Function"
}
MACHINES = {"x86_64": 0x3E, "arm64": 0xB7}  # e_machine, ELF's number for a processor
LARGEST_ZIP, LARGEST = 50_000_000, 250_000_000  # bytes; Lambda's own, the first for a direct upload
HERE = Target(
    python=f"{sys.version_info.major}.{sys.version_info.minor}",
    architecture={"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
)
# -I -S: nothing but the standard library is found, and then the package, and what Lambda has.
CLEAN = """
import importlib, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
for handler in sys.argv[3:]:
    module, _, function = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))
from PIL import features
print(*sorted({"avif", "webp"} - set(features.get_supported())), sep="\\n", end="")
import PIL, aws_lambda_powertools, charset_normalizer, conversions, pypdfium2
for package in PIL, aws_lambda_powertools, charset_normalizer, conversions, pypdfium2:
    assert package.__file__.startswith(sys.argv[1]), package
"""
RUNTIME = ("boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six", "jmespath")


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_wheels_are_for_the_machine_that_lambda_has(architecture: str) -> None:
    target = Target(python=packages.runtime(), architecture=architecture)
    data = packages.build(target)
    assert len(data) < LARGEST_ZIP
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sum(item.file_size for item in archive.infolist()) < LARGEST
        tags = {
            line.removeprefix("Tag: ")
            for name in archive.namelist()
            if name.endswith(".dist-info/WHEEL")
            for line in archive.read(name).decode().splitlines()
            if line.startswith("Tag: ")
        }
        libraries = [name for name in archive.namelist() if ".so" in Path(name).suffixes]
        machines = {archive.read(name)[18] for name in libraries}
    wheel = packages.WHEELS[architecture]
    cp = "cp" + target.python.replace(".", "")
    assert {tag for tag in tags if not tag.endswith("-none-any")} == {
        f"{interpreter}-{glibc}_{wheel}"
        for interpreter, glibcs in {
            f"{cp}-{cp}": ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"),
            "py3-none": ("manylinux_2_17", "manylinux2014"),  # PDFium knows nothing of Python
        }.items()
        for glibc in glibcs
    }
    assert machines == {MACHINES[architecture]}
    assert any(f".cpython-{target.python.replace('.', '')}-" in name for name in libraries)
    assert any(name.endswith("/libpdfium.so") for name in libraries)


@pytest.mark.skipif(sys.platform != "linux", reason="the package's wheels are Linux's")
def test_every_function_is_imported_from_the_package_alone(tmp_path: Path) -> None:
    """By this interpreter: Lambda's own is not here, and wheels are for one."""
    unpacked, lambdas = tmp_path / "package", tmp_path / "runtime"
    with zipfile.ZipFile(io.BytesIO(packages.build(HERE))) as archive:
        archive.extractall(unpacked)
    lambdas.mkdir()
    for name in RUNTIME:
        place = Path(boto3.__file__).parent.parent / name
        place = place if place.exists() else place.with_suffix(".py")
        (lambdas / place.name).symlink_to(place)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", CLEAN, unpacked, lambdas, *sorted(HANDLERS)],
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(HANDLERS) == 7


def test_the_same_files_make_the_same_package(settings: LazySettings, tmp_path: Path) -> None:
    made = []
    for folder in ("first", "second"):
        settings.VAR_DIR = tmp_path / folder
        made.append(packages.build(HERE))
    assert made[0] == made[1]
    packages.build(HERE)
    assert len(list((settings.VAR_DIR / "packages").iterdir())) == 1  # and nothing is left over


def test_a_package_is_named_for_what_it_is_for(settings: LazySettings) -> None:
    names = set()
    for kind in ("code", "lambda-x86_64", "lambda-arm64"):
        settings.BACKEND_PACKAGE = kind
        names.add(packages.name(packages.target()))
    assert len(names) == 3


def test_the_code_alone_asks_for_nothing(settings: LazySettings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    with zipfile.ZipFile(io.BytesIO(packages.build(None))) as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"conversions"}
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_installed_says_why(
    settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "requirements.txt"
    wrong.write_text(f"pillow==13.0.0 --hash=sha256:{'0' * 64}\n")
    settings.VAR_DIR = tmp_path / "var"
    monkeypatch.setattr(packages, "REQUIREMENTS", wrong)
    with pytest.raises(BackendError, match="DO NOT MATCH THE HASHES"):
        packages.build(HERE)
    assert not list((settings.VAR_DIR / "packages").iterdir())

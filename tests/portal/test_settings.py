"""docs/settings.md lists what portal/settings.py reads, no more and no less."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from billing.tax_numbers import is_tax_id_of
from portal import settings

PAGE = Path(settings.BASE_DIR, "docs", "settings.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", PAGE, flags=re.MULTILINE))
REQUIRED = {variable for variable, default in ROWS.items() if default == "required"}
SOMETHING = dict.fromkeys(REQUIRED, "something-of-16-characters-or-more")


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import portal.settings"],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_variable_is_documented() -> None:
    assert set(ROWS) == set(settings.env.dump())


def test_what_is_documented_as_required_is_all_that_is() -> None:
    assert start(**SOMETHING).returncode == 0


def test_a_start_without_them_names_every_one() -> None:
    refused = start()

    assert refused.returncode != 0
    assert {variable for variable in ROWS if f"'{variable}'" in refused.stderr} == REQUIRED


@pytest.mark.parametrize("secret", ["", "fifteen-letters", "sixteen letters!", "sixteen-letters\n"])
def test_a_gateway_secret_that_the_stack_would_refuse_stops_the_start(secret: str) -> None:
    refused = start(**SOMETHING | {"GATEWAY_SECRET": secret})

    assert refused.returncode != 0
    assert "'GATEWAY_SECRET'" in refused.stderr


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("JP", "DE136695976"),
        ("JP", "T5835678256247"),
        ("DE", "T5835678256246"),
        ("DE", "FR40303265045"),
        ("GR", "GR094259216"),
        ("GB", "XI980780684"),
        ("CH", "DE136695976"),
    ],
)
def test_a_tax_number_of_another_country_than_the_issuers_is_refused(
    country: str, number: str
) -> None:
    assert not is_tax_id_of(country=country, number=number)


def test_it_stops_the_start() -> None:
    refused = start(**SOMETHING, ISSUER_COUNTRY="JP", ISSUER_TAX_ID="DE136695976")

    assert refused.returncode != 0
    said = "'ISSUER_TAX_ID': ['It is no tax number of ISSUER_COUNTRY, JP']"
    assert said in refused.stderr
    assert start(**SOMETHING, ISSUER_COUNTRY="GR", ISSUER_TAX_ID="EL094259216").returncode == 0


def test_credentials_in_the_file_reach_boto3(tmp_path: Path) -> None:
    file = tmp_path / "local.env"
    lines = [*(f"{name}={it}" for name, it in SOMETHING.items()), "AWS_ACCESS_KEY_ID=from-the-file"]
    file.write_text("\n".join(lines))
    program = "import portal.settings, boto3; print(boto3.Session().get_credentials().access_key)"

    printed = subprocess.run(
        [sys.executable, "-c", program],
        cwd=settings.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": str(file),
            "AWS_SECRET_ACCESS_KEY": "from-the-shell",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert printed.stdout.strip() == "from-the-file"


def test_half_an_openid_provider_stops_the_start_and_what_is_missing_is_named() -> None:
    refused = start(**SOMETHING, OIDC_SERVER_URL="https://id.example.com", OIDC_NAME="")

    assert refused.returncode != 0
    for missing in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_NAME"):
        assert f"'{missing}'" in refused.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        {"SIGN_UP_MODE": "closed"},
        {"SIGN_UP_MODE": "domain:example.com", "EMAIL_VERIFICATION": "optional"},
        {"SIGN_UP_MODE": "approval", "EMAIL_VERIFICATION": "none"},
    ],
)
def test_a_sign_up_mode_that_means_nothing_stops_the_start(wrong: dict[str, str]) -> None:
    refused = start(**SOMETHING | wrong)

    assert refused.returncode != 0
    assert "'SIGN_UP_MODE'" in refused.stderr

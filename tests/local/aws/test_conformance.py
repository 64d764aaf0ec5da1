"""Every operation of API Gateway that botocore knows: who answers it, and that this is true."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from django.conf import settings

from portal.local.aws.control_plane import HANDLERS
from portal.local.aws.operations import MINISTACK, OURS, UNSUPPORTED, model
from tests.local.aws.conformance import SCENARIO_OF, Scenario
from tests.local.aws.conformance.checks import Watched, any_input
from tests.local.aws.program import Program


def test_every_operation_is_claimed_once() -> None:
    claims = [*OURS, *MINISTACK, *UNSUPPORTED]
    assert sorted(claims) == sorted(model().operation_names)
    assert set(HANDLERS) == OURS
    assert set(SCENARIO_OF) == OURS | MINISTACK


@pytest.fixture(scope="module")
def answered(aws: Program) -> Callable[[Scenario], set[str]]:
    """Plays a scenario, once; returns the operations that were answered as their models say."""
    played: dict[Scenario, set[str]] = {}

    def play(scenario: Scenario) -> set[str]:
        if scenario not in played:
            client = Watched(aws.client("apigateway"))
            scenario(client)
            played[scenario] = client.called
        return played[scenario]

    return play


@pytest.mark.parametrize("name", sorted(OURS | MINISTACK))
def test_a_supported_operation_does_what_it_says(
    answered: Callable[[Scenario], set[str]], name: str
) -> None:
    assert name in answered(SCENARIO_OF[name])


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_an_unsupported_operation_says_so(gateway: Any, name: str) -> None:
    with pytest.raises(ClientError) as raised:
        getattr(gateway, xform_name(name))(**any_input(name))
    answer = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"]["Code"] == "BadRequestException"
    assert answer["Error"]["Message"] == f"{name} is not supported by the local AWS"


def test_the_documentation_tells_the_same() -> None:
    text = (Path(settings.BASE_DIR) / "docs" / "local-aws.md").read_text()
    table = text.partition("| about |")[2].partition("\n\n")[0]
    rows = [line.strip("|").split("|")[1:] for line in table.splitlines()[2:]]
    columns = [re.findall(r"`(\w+)`", " ".join(cells)) for cells in zip(*rows, strict=True)]
    expected = [OURS, MINISTACK, UNSUPPORTED]
    assert [sorted(column) for column in columns] == [sorted(each) for each in expected]

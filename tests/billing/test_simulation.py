"""For any sequence of changes, purchases, payments, webhooks, jobs, clock jumps and crashes: the
books prove after every step, and at rest what was billed is exactly what the rules say.

A few plays every day; SIMULATION_RUNS asks for more, SIMULATION_SEED for others. One that fails is
shrunk to the steps that it needs, and printed.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, assume, given, note, seed, settings
from hypothesis import strategies as st

from billing import payments
from billing.balances import credit_balances
from billing.proof import prove
from tenants.errors import Refused
from tests.billing.simulation import acts, beat
from tests.billing.simulation.checks import check
from tests.billing.simulation.crashes import Crashes, Died, How
from tests.billing.simulation.world import Draw, World
from tests.services import local_payments_running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]

RUNS = int(os.environ.get("SIMULATION_RUNS", "3"))
SEED = int(os.environ.get("SIMULATION_SEED", "1"))
LENGTH = 45  # steps of a play, of which a quarter is left out
STARTS = ["2026-11-24", "2027-01-14", "2028-02-20"]  # months of 30, 31, 28 and 29 days follow
ACTS = {act.__name__: act for act in (*acts.ALL, *beat.ALL)}
# What a play is about comes more often: time, use and money.
OFTEN = (
    "run", "run", "use", "use", "wait", "wait", "wait_for_midnight", "change", "webhooks",
    "order_pay",
)  # fmt: skip
Step = tuple[str, int, How | None, int]


def drawn(number: int, kept: list[bool]) -> list[Step]:
    """Return a play that a number tells, less what is not kept of it.

    Drawn evenly, which hypothesis would not do; it finds a number that fails, and leaves out what
    that does not need.
    """
    random = Random(number)
    steps = [
        (
            random.choice([*ACTS, *OFTEN]),
            random.randrange(10_000),
            random.choice([None, None, *How]),
            random.randrange(1, 5),
        )
        for _ in kept
    ]
    return [step for step, is_kept in zip(steps, kept, strict=True) if is_kept]


PLAYS = st.builds(
    drawn,
    st.integers(0, 2**32),
    st.lists(st.sampled_from([False, True, True, True]), min_size=LENGTH, max_size=LENGTH),
)
_WRITES = re.compile(
    r"(INSERT INTO|UPDATE|DELETE FROM) .billing_(invoice|order|payment|refund|posting|entry)"
)


@given(start=st.sampled_from(STARTS), steps=PLAYS)
@seed(SEED)
@settings(
    max_examples=2 * RUNS,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
def test_what_is_billed_is_what_the_rules_say(start: str, steps: list[Step]) -> None:
    assume(steps)
    note(f"{start}: {steps}")
    call_command("flush", interactive=False, verbosity=0)
    with (
        override_settings(ISSUER_COUNTRY="JP", ISSUER_TAX_ID="T1234567890123"),
        TemporaryDirectory() as state_dir,
        local_payments_running(Path(state_dir)) as stripe,
        httpx.Client(base_url=stripe.url, trust_env=False) as browser,
    ):
        world = World(browser, datetime.fromisoformat(f"{start}T09:00:00+00:00"))
        for name, number, how, at in steps:
            books = Books()
            with (
                suppress(Refused, Died, payments.PaymentError),
                connection.execute_wrapper(books),
                Crashes.patched(how, at),
            ):
                ACTS[name](world, Draw(number))
            if books.are_touched:
                prove_now(world, (name, number, how, at))
        beat.rest(world)
        prove_now(world, "at rest")
        check(world)


class Books:
    """Notices whether anything was written of what the proof reads: most steps write nothing."""

    def __init__(self) -> None:
        self.are_touched = False

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        self.are_touched = self.are_touched or _WRITES.match(sql) is not None
        return execute(sql, *rest)


def prove_now(world: World, after: object) -> None:
    proof = prove()
    assert proof.is_proved, (after, proof)
    for tenant in world.tenants:
        assert min(credit_balances(tenant=tenant).values(), default=0) >= 0

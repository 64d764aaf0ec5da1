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
from django.utils import timezone
from hypothesis import HealthCheck, assume, given, note, seed, settings
from hypothesis import strategies as st

from billing import payments
from billing.proof import prove
from billing.proof.accounts import balances
from billing.proof.invoices import invoice_checks
from billing.proof.postings import posting_checks
from tenants.errors import Refused
from tests.billing.simulation import acts, banks, beat, caps
from tests.billing.simulation.checks import check, check_credit
from tests.billing.simulation.crashes import Crashes, Died, How
from tests.billing.simulation.world import Draw, World
from tests.services import local_payments_running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]

RUNS = int(os.environ.get("SIMULATION_RUNS", "3"))
SEED = int(os.environ.get("SIMULATION_SEED", "1"))
LENGTH = 60  # steps of a play, of which a quarter is left out
STARTS = ["2026-11-24", "2027-01-14", "2028-02-20"]  # months of 30, 31, 28 and 29 days follow
ACTS = {act.__name__: act for act in (*acts.ALL, *banks.ALL, *beat.ALL, caps.cap, caps.cap_lift)}
# What a play is about comes more often: time, use and money.
OFTEN = (
    "run", "run", "use", "use", "wait", "wait", "wait_for_midnight", "change", "webhooks",
    "order_pay", "cap", "dispute",
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
    r"(INSERT INTO|UPDATE|DELETE FROM) "
    r".billing_(invoice|order|payment|refund|dispute|posting|entry|balancetransaction)"
)


@given(start=st.sampled_from(STARTS), steps=PLAYS)
@seed(SEED)
@settings(
    max_examples=RUNS,
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
        pytest.MonkeyPatch.context() as patch,
    ):
        world = World(browser, datetime.fromisoformat(f"{start}T09:00:00+00:00"))
        patch.setattr(timezone, "now", lambda: world.now)
        for name, number, how, at in steps:
            with (
                suppress(Refused, Died, payments.PaymentError),
                connection.execute_wrapper(Written(world)),
                Crashes.patched(how, at),
            ):
                ACTS[name](world, Draw(number))
            prove_now(world, (name, number, how, at))
        beat.rest(world)
        check(world)


class Written:
    """Notices what is written of what the proof reads: most steps write nothing of it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if _WRITES.match(sql):
            self.world.is_proved = False
        return execute(sql, *rest)


def prove_now(world: World, after: object) -> None:
    """While Stripe's balance is not read to the end, what it says is no proof."""
    if world.is_proved:
        return
    if world.is_fetched:
        proof = prove()
        assert proof.is_proved, (after, proof)
    else:
        assert all(balance.is_proved for balance in balances()), after
        wrong = [check for check in (*posting_checks(), *invoice_checks()) if check.wrong]
        assert not wrong, (after, wrong)
    check_credit(world)
    world.is_proved = True

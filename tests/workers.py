"""Which worker runs a test (`-n`), which tests a database concerns, which are only another case of
one, which are tried once more, and which are left out against Stripe's test mode.
"""

import os
from collections import Counter

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.env import STRIPE_TEST_SECRET_KEY

BROWSER = "tests/browser/"
LONGEST = (BROWSER, "tests/conversions/test_burst.py")  # begun first, lest all wait for them
FUNCTIONS = {"stack", "aws"}  # the fixtures behind which functions run, or a whole installation


class ByFile(LoadFileScheduling):
    """Keep a file's tests on one worker, and all of the browser's: they share an installation."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # not the file with most tests first: our own order
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    shared = [nodeid for nodeid, tests in Counter(i.nodeid for i in items).items() if tests > 1]
    if shared:  # workers would run one test of each
        raise pytest.UsageError(f"Several tests have the same id: {', '.join(shared)}")
    # A package's files after each other, since some share a server.
    items.sort(key=lambda item: (not item.nodeid.startswith(LONGEST), item.path))
    begun: set[str] = set()
    for item in items:
        if _asks_for_database(item):
            item.add_marker(pytest.mark.database)
        test = item.nodeid.partition("[")[0]
        if test in begun and item.get_closest_marker("every_case") is None:
            item.add_marker(pytest.mark.another_case)
        begun.add(test)
        if isinstance(item, pytest.Function) and FUNCTIONS & {*item.fixturenames}:
            item.add_marker(pytest.mark.functions)
        if item.nodeid.startswith(BROWSER):
            item.add_marker(pytest.mark.flaky(reruns=1, condition="CI" in os.environ))
        if STRIPE_TEST_SECRET_KEY and item.get_closest_marker("stripe") is None:
            item.add_marker(pytest.mark.skip(reason="not for Stripe's test mode"))


def _asks_for_database(item: pytest.Item) -> bool:
    """Whether a test may touch the database: pytest-django keeps it from all others."""
    fixtures = item.fixturenames if isinstance(item, pytest.Function) else []
    return (
        item.get_closest_marker("django_db") is not None
        or "db" in fixtures
        or "transactional_db" in fixtures
    )

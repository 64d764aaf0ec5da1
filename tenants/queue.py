"""How tasks are queued: on commit, and never at the price of the request that asks.

A broker that cannot be reached loses nothing: whatever a task would do is written in rows first,
and a beat sweep finds it. So a failure here is logged and swallowed.
"""

from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def send(task_name: str, *args: Any, queue: str, **options: Any) -> bool:
    """Queue a task by name; return whether the broker took it."""
    try:
        current_app.send_task(task_name, args=args, queue=queue, retry=False, **options)
    except (OperationalError, ConnectionError) as error:
        log.warning("task.not_queued", task=task_name, error=str(error))
        return False
    return True


def on_commit(task_name: str, *args: Any, queue: str) -> None:
    """Queue a task once the current transaction commits, or at once without one."""
    transaction.on_commit(lambda: _send_quietly(task_name, *args, queue=queue))


def _send_quietly(task_name: str, *args: Any, queue: str) -> None:
    send(task_name, *args, queue=queue)

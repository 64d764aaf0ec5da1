"""Things that happen at once, each in a thread with a connection of its own."""

import threading
from collections.abc import Callable

from django.db import connection, transaction

from billing import payments
from tenants.errors import Refused
from tenants.models import Tenant

Act = Callable[[], object]


def at_once(*acts: Act) -> list[object]:
    """Do all at once; return what each returned, or was refused with, in their order.

    On PostgreSQL all are under way before one goes on: whoever wants the tenants' rows waits, with
    what it has locked already, until all others wait or are done. Where two wait for each other,
    the database ends one, and that is raised here.
    """
    outcomes: list[object] = [None] * len(acts)
    backends: dict[int, int] = {}
    connected = threading.Barrier(len(acts) + 1, timeout=60)
    begin = threading.Barrier(len(acts) + 1, timeout=60)

    def run(place: int) -> None:
        try:
            connection.ensure_connection()
            if connection.vendor == "postgresql":
                backends[place] = connection.connection.info.backend_pid
            connected.wait()
            begin.wait()
            outcomes[place] = acts[place]()
        except Exception as error:
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    connected.wait()
    if connection.vendor == "postgresql":
        with transaction.atomic():
            list(Tenant.objects.select_for_update())
            begin.wait()
            while not _all_wait(
                [backends[place] for place, each in enumerate(threads) if each.is_alive()]
            ):
                threads[0].join(0.001)
    else:
        begin.wait()
    for thread in threads:
        thread.join()
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(
            outcome, (Refused, payments.PaymentError)
        ):
            raise outcome
    return outcomes


def _all_wait(backends: list[int]) -> bool:
    """Say whether each of these connections waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(bool_and(cardinality(pg_blocking_pids(pid)) > 0), true)"
            " FROM unnest(%s::int[]) AS pid",
            [backends],
        )
        return bool(cursor.fetchone()[0])

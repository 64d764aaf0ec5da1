"""Delivers events to the webhook, signed as Stripe signs them, until they are accepted.

A delivery is a row, written with its event; it is retried with growing pauses, also after a
restart, and given up after `_MAX_ATTEMPTS`. A crash between the receiver's answer and our note of
it delivers again: receivers must expect that from Stripe as well. Deliveries run side by side, so
they can overtake each other, as Stripe's can.

The signature is made with the machine's real time even if the server's clock is pinned: whoever
verifies it (`stripe.Webhook.construct_event`) compares with the real time too. Scheme:
https://docs.stripe.com/webhooks#verify-manually.
"""

import hashlib
import hmac
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from .errors import ApiError
from .resources import due
from .store import Store

_MAX_ATTEMPTS = 15
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_TIMEOUT = 10.0
_TICK = 1.0
_WORKERS = 4


def signature(payload: bytes, secret: str, timestamp: int) -> str:
    """The `Stripe-Signature` header for a body."""
    signed = str(timestamp).encode() + b"." + payload
    return f"t={timestamp},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Courier:
    """A background thread that hands due deliveries to a few workers, and once a second expires
    the sessions whose time is over."""

    def __init__(self, store: Store, secret: str) -> None:
        self.url: str | None = None
        self._store = store
        self._secret = secret
        self._wake = threading.Event()
        self._stopping = False
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        store.on_news = self._wake.set

    def start(self) -> None:
        self._client = httpx.Client(timeout=_TIMEOUT, trust_env=False)
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="payments-webhook")
        self._thread = threading.Thread(target=self._run, name="payments-courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Deliveries under way are finished; the others stay pending."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def enable(self, enabled: bool) -> None:
        """Hold deliveries back, or let them go; remembered over a restart."""
        self._store.set_setting("webhooks", None if enabled else "held")
        self._wake.set()

    def redeliver(self, event: str, times: int) -> None:
        """Send an event again, `times` times at once, even while deliveries are held.

        Raises ApiError (404) for an unknown event.
        """
        with self._store.transaction() as tx:
            tx.get("event", event)
            row = (event, time.time())
            tx.db.executemany(
                "INSERT INTO deliveries (event, due_at, forced) VALUES (?, ?, 1)", [row] * times
            )
        self._wake.set()

    def discard(self) -> int:
        """Forget all pending deliveries; returns how many."""
        with self._store.transaction() as tx:
            done = tx.db.execute(
                "UPDATE deliveries SET state = 'discarded' WHERE state = 'pending'"
            )
            return int(done.rowcount)

    def report(self) -> dict[str, Any]:
        """For tests and puzzled developers: the last 100 deliveries, newest first."""
        names = ("id", "event", "type", "state", "attempts", "outcome")
        with self._store.transaction() as tx:
            rows = tx.db.execute(
                "SELECT d.id, d.event, json_extract(o.body, '$.type'), d.state, d.attempts, "
                "d.outcome FROM deliveries d JOIN objects o ON o.id = d.event "
                "ORDER BY d.id DESC LIMIT 100"
            ).fetchall()
            pending = tx.db.execute(
                "SELECT count(*) FROM deliveries WHERE state = 'pending'"
            ).fetchone()[0]
        return {
            "enabled": self._store.setting("webhooks") is None,
            "url": self.url,
            "pending": pending,
            "deliveries": [dict(zip(names, row, strict=True)) for row in rows],
        }

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            pause = self._dispatch()
            self._wake.wait(pause)

    def _dispatch(self) -> float:
        """Hand out what is due; returns the seconds until the next look."""
        held = self._store.setting("webhooks") is not None
        with self._store.transaction() as tx:
            due.happen(tx)
            rows = tx.db.execute(
                "SELECT id, due_at FROM deliveries WHERE state = 'pending' AND forced >= ? "
                "ORDER BY due_at, id LIMIT 200",
                (int(held),),
            ).fetchall()
        if self.url is None:
            return _TICK
        now = time.time()
        pause = _TICK
        for id, due_at in rows:
            with self._lock:
                if id in self._busy:
                    continue
                if due_at > now:
                    pause = min(pause, due_at - now)
                    continue
                self._busy.add(id)
            self._pool.submit(self._deliver, id)
        return pause

    def _deliver(self, id: int) -> None:
        try:
            with self._store.transaction() as tx:
                event, attempts, state = tx.db.execute(
                    "SELECT o.body, d.attempts, d.state FROM deliveries d "
                    "JOIN objects o ON o.id = d.event WHERE d.id = ?",
                    (id,),
                ).fetchone()
            if state != "pending" or self.url is None:
                return
            accepted, outcome = self._post(self.url, json.loads(event))
            attempts += 1
            if accepted:
                state = "delivered"
            elif attempts >= _MAX_ATTEMPTS:
                state = "failed"
            pause = min(_FIRST_PAUSE * 2 ** (attempts - 1), _LONGEST_PAUSE)
            with self._store.transaction() as tx:
                tx.db.execute(
                    "UPDATE deliveries SET state = ?, attempts = ?, outcome = ?, due_at = ? "
                    "WHERE id = ?",
                    (state, attempts, outcome, time.time() + pause, id),
                )
        finally:
            with self._lock:
                self._busy.discard(id)
            self._wake.set()

    def _post(self, url: str, event: dict[str, Any]) -> tuple[bool, str]:
        payload = json.dumps(event, ensure_ascii=False, indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, self._secret, int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://docs.stripe.com/webhooks)",
        }
        try:
            answer = self._client.post(url, content=payload, headers=headers)
        except httpx.HTTPError as error:
            return False, f"{type(error).__name__}: {error}"
        except httpx.InvalidURL as error:
            return False, f"InvalidURL: {error}"
        return answer.is_success, f"HTTP {answer.status_code}"


def check_url(url: str) -> str:
    """The webhook's address. Raises ApiError unless it is an absolute http(s) one."""
    if not url.startswith(("http://", "https://")):
        raise ApiError(f"The webhook URL must begin with http:// or https://, not {url!r}")
    return url

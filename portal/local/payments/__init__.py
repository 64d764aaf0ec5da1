"""The local payments: a server that speaks the part of Stripe's API that Sekisho uses.

The real `stripe` SDK talks to it, people pay on its checkout page with Stripe's test cards, and it
sends signed webhooks; so production code runs unchanged without an account or a network. It refuses
what Stripe refuses, and parameters that it does not implement are unknown to it, never ignored. It
knows nothing of Django and of the rest of Sekisho.

    python -m portal.local.payments --port 12111 --state DIR --webhook-url URL

or, in a thread, `server.LocalPayments`. Everything is in one SQLite file in DIR, exact after
`kill -9`. The way of a request: `server` → `api` (keys, idempotency) → `routes` → `resources`, or →
`hosted` (the pages) or → `control`.

Controls for tests, JSON in and out, under /_sekisho/:

    GET  healthz
    POST clock      {"now": "2026-01-31T23:59:59Z"}  the clock stands there, also over a restart;
                    {"now": null}                    the real clock again
    POST fault      {"operation": "POST /v1/refunds", "when": "before" | "after", "times": 1,
                     "how": "drop" | "error" | "hold"}
                    fail before or after taking effect: drop the connection (the default), answer
                    500, or hold the answer back. Operations are named as in `routes`; the pages are
                    "POST /checkout/{id}" and "POST /authenticate/{id}".
                    {"clear": true}                  forget all faults, let go what is held
    POST payout     {"currency": "usd"}              all that is available leaves for the bank, as
                    it does by Stripe's schedule; what that was is known an hour later
    POST outcome    {"id": "re_…", "outcome": "succeeded" | "failed"}
                    {"id": "po_…", "outcome": "reconciled" | "paid" | "failed"}
                    {"id": "ch_…", "outcome": "fraudulent" | "product_not_received" |
                     "part_not_received" | "inquiry"}
                    {"id": "du_…", "outcome": "won" | "partially_won" | "lost" | "escalated"}
                    what becomes of a refund, a payout, a charge or its dispute, at once and instead
                    of what would come by itself
    POST fee        {"amount": 500, "currency": "usd", "description": "…"}
                    Stripe takes a fee that belongs to no payment
    GET  webhooks   the last deliveries, and how many are pending
    POST webhooks   {"enabled": false}               hold deliveries back, also over a restart
                    {"discard": true}                forget the pending ones: webhooks that got lost
    POST webhooks/redeliver {"event": "evt_…", "times": 2}
                    send it again, that many times at once, even while deliveries are held

A `StripeClient` with `max_network_retries=n` repeats a dropped or failed request n times on its
own: to make a call fail for good, ask for n + 1 faults.
"""

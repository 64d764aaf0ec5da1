"""Starts everything that an embedded installation is made of, and stops it again.

`python -m portal.supervisor run` is `make run`, `… demo` is `make demo`; tests use `stack.Stack`.
It imports no Django settings: it writes the file that they read (`environment`), and starts the
processes that load them (`stack`). Data lives in VAR_DIR, `var/` by default.

Nothing outlives it. Each process leads a group of its own and is stopped in reverse order. Should
the supervisor itself be killed, the `keeper` stops the groups, and on Linux the kernel tells each
process too (`leash`). All of them hold the lock on `supervisor.lock` together, so a next run knows
for sure whether anything is left.
"""

"""Which address of the API does what. An operation's name, as faults use it, is
`METHOD /path/{id}`, exactly as written here."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .params import Hash
from .resources import (
    balance,
    charges,
    customers,
    disputes,
    events,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    session_params,
    sessions,
    setup_intents,
)
from .store import Object

Handler = Callable[..., Object]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    handler: Handler
    schema: Hash
    regex: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        compiled = re.compile(re.escape(self.pattern).replace(r"\{id\}", "([A-Za-z0-9_]{1,255})"))
        object.__setattr__(self, "regex", compiled)

    @property
    def operation(self) -> str:
        return f"{self.method} {self.pattern}"


def find(method: str, path: str) -> tuple[Route, list[Any]] | None:
    """The route of a request, and the ids in its path."""
    for route in ROUTES:
        match = route.regex.fullmatch(path) if route.method == method else None
        if match:
            return route, list(match.groups())
    return None


_PI, _PM, _CS = "/v1/payment_intents", "/v1/payment_methods", "/v1/checkout/sessions"

ROUTES = [
    Route("POST", "/v1/customers", customers.create, customers.CREATE),
    Route("GET", "/v1/customers", customers.list_all, customers.LIST),
    Route("GET", "/v1/customers/{id}", customers.retrieve, customers.RETRIEVE),
    Route("POST", "/v1/customers/{id}", customers.update, customers.UPDATE),
    Route("DELETE", "/v1/customers/{id}", customers.delete, customers.DELETE),
    Route(
        "GET",
        "/v1/customers/{id}/payment_methods",
        payment_methods.list_for_customer,
        payment_methods.LIST_FOR_CUSTOMER,
    ),
    Route("GET", _PM, payment_methods.list_all, payment_methods.LIST),
    Route("GET", f"{_PM}/{{id}}", payment_methods.retrieve, payment_methods.RETRIEVE),
    Route("POST", f"{_PM}/{{id}}/attach", payment_methods.attach_to, payment_methods.ATTACH),
    Route("POST", f"{_PM}/{{id}}/detach", payment_methods.detach, payment_methods.RETRIEVE),
    Route("POST", _CS, sessions.create, session_params.CREATE),
    Route("GET", _CS, sessions.list_all, session_params.LIST),
    Route("GET", f"{_CS}/{{id}}", sessions.retrieve, session_params.RETRIEVE),
    Route("GET", f"{_CS}/{{id}}/line_items", sessions.list_items, session_params.LIST_ITEMS),
    Route("POST", f"{_CS}/{{id}}/expire", sessions.expire, session_params.EXPIRE),
    Route("POST", _PI, payment_intents.create, payment_intents.CREATE),
    Route("GET", _PI, payment_intents.list_all, payment_intents.LIST),
    Route("GET", f"{_PI}/{{id}}", payment_intents.retrieve, payment_intents.RETRIEVE),
    Route("POST", f"{_PI}/{{id}}/confirm", payment_intents.confirm, payment_intents.CONFIRM),
    Route("POST", f"{_PI}/{{id}}/cancel", payment_intents.cancel, payment_intents.CANCEL),
    Route("GET", "/v1/setup_intents", setup_intents.list_all, setup_intents.LIST),
    Route("GET", "/v1/setup_intents/{id}", setup_intents.retrieve, setup_intents.RETRIEVE),
    Route("GET", "/v1/charges", charges.list_all, charges.LIST),
    Route("GET", "/v1/charges/{id}", charges.retrieve, charges.RETRIEVE),
    Route("POST", "/v1/refunds", refunds.create, refunds.CREATE),
    Route("GET", "/v1/refunds", refunds.list_all, refunds.LIST),
    Route("GET", "/v1/refunds/{id}", refunds.retrieve, refunds.RETRIEVE),
    Route("POST", "/v1/refunds/{id}", refunds.update, refunds.UPDATE),
    Route("GET", "/v1/balance", balance.read, balance.READ),
    Route("GET", "/v1/balance_transactions", balance.list_all, balance.LIST),
    Route("GET", "/v1/balance_transactions/{id}", balance.retrieve, balance.RETRIEVE),
    Route("GET", "/v1/disputes", disputes.list_all, disputes.LIST),
    Route("GET", "/v1/disputes/{id}", disputes.retrieve, disputes.RETRIEVE),
    Route("POST", "/v1/disputes/{id}", disputes.update, disputes.UPDATE),
    Route("POST", "/v1/disputes/{id}/close", disputes.close, disputes.RETRIEVE),
    Route("POST", "/v1/payouts", payouts.create, payouts.CREATE),
    Route("GET", "/v1/payouts", payouts.list_all, payouts.LIST),
    Route("GET", "/v1/payouts/{id}", payouts.retrieve, payouts.RETRIEVE),
    Route("GET", "/v1/events", events.list_all, events.LIST),
    Route("GET", "/v1/events/{id}", events.retrieve, events.RETRIEVE),
]

"""The ways that people go through the portal, in any language: things are found by what they are.

Each flow goes on where another has left the same organisation, the first with its sign-up. Each
step leaves a picture, has to fit the window, and shuts nobody out, by axe.
"""

from tests.browser.flows.buying import buying_more, changing_plan
from tests.browser.flows.running import another_organization, audit, inviting, leaving, parting
from tests.browser.flows.securing import forgotten_password, required_factor, second_factors
from tests.browser.flows.using import alerts, first_call, keys, signing_up, token, webhooks
from tests.browser.flows.walk import Flow
from tests.browser.flows.walk import Walk as Walk

IN_ORDER: tuple[Flow, ...] = (
    signing_up,
    first_call,
    buying_more,
    keys,
    forgotten_password,
    second_factors,
    alerts,
    inviting,
    required_factor,
    webhooks,
    token,
    changing_plan,
    audit,
    leaving,
    parting,
    another_organization,
)

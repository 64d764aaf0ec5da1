"""Enable or disable one key in the gateway, with the row saying at each moment what is known."""

from collections.abc import Callable

from tenants import gateway
from tenants.models import ApiKeyVersion

Renew = Callable[[], None]  # the claim, before each outside call and before its answer is noted


def key_switch(version: ApiKeyVersion, renew: Renew, *, is_enabled: bool) -> None:
    """Enable or disable; until the answer is here the row says that nobody knows, and after that,
    too, where another worker may have done the opposite meanwhile.

    Raise GatewayError, and ClaimLost where `renew` does.
    """
    if not version.gateway_id:
        return
    version.is_enabled = None
    version.save(update_fields=["is_enabled"])
    renew()
    try:
        gateway.api_key_set_enabled(key_id=version.gateway_id, is_enabled=is_enabled)
    except gateway.GatewayNotFound:
        if is_enabled:
            raise
        # Somebody deleted it in the gateway: no stop, and nothing after it, waits for that.
    try:
        renew()
        version.is_enabled = is_enabled
    finally:
        version.save(update_fields=["is_enabled"])

"""What each role may do: the one table that pages, API and templates read."""

from enum import StrEnum

from tenants.models import Member, Role


class Act(StrEnum):
    """What a member may or may not do in a tenant. Everybody may look."""

    CHANGE_KEYS = "change_keys"
    CHANGE_SETTINGS = "change_settings"
    BUY = "buy"
    UPLOAD = "upload"
    CHANGE_TOKENS = "change_tokens"  # the organisation's; a personal one is its member's own
    CHANGE_WEBHOOKS = "change_webhooks"


_MAY: dict[Act, frozenset[str]] = {
    Act.CHANGE_KEYS: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    Act.CHANGE_SETTINGS: frozenset({Role.OWNER, Role.ADMIN}),
    Act.BUY: frozenset({Role.OWNER, Role.ADMIN, Role.BILLING}),
    Act.UPLOAD: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    Act.CHANGE_TOKENS: frozenset({Role.OWNER, Role.ADMIN}),
    Act.CHANGE_WEBHOOKS: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
}


def may(member: Member, act: Act) -> bool:
    """Say whether the member's role allows the act."""
    return member.role in _MAY[act]


def acts_of(member: Member) -> dict[str, bool]:
    """Return every act with whether the member may do it, for templates."""
    return {act.value: may(member, act) for act in Act}

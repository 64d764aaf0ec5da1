"""What each role may do: the one table that pages, API and templates read."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from tenants.models import Member, Role


class Act(TextChoices):
    """What a member may or may not do in a tenant. Everybody may look at the rest, and leave."""

    CHANGE_KEYS = "change_keys", _("Create, rotate and revoke keys")
    UPLOAD = "upload", _("Upload, share and delete files")
    BUY = "buy", _("Change the plan, buy, pay, and set spending caps")
    CHANGE_SETTINGS = "change_settings", _("Change the organisation's settings")
    # A personal token is its member's own.
    CHANGE_TOKENS = "change_tokens", _("Create and revoke the organisation's API tokens")
    CHANGE_WEBHOOKS = "change_webhooks", _("Manage webhooks")
    SEE_AUDIT = "see_audit", _("See the audit trail")
    MANAGE_MEMBERS = "manage_members", _("Invite people, change their roles, remove them")
    TRANSFER = "transfer", _("Make somebody an owner, and hand the organisation over")
    TAKE_ALONG = "take_along", _("Download all of the organisation's data")
    REQUIRE_FACTOR = "require_factor", _("Require a second factor of everybody")
    CLOSE = "close", _("Delete the organisation")


_MAY: dict[Act, frozenset[str]] = {
    Act.CHANGE_KEYS: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    Act.UPLOAD: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    Act.BUY: frozenset({Role.OWNER, Role.ADMIN, Role.BILLING}),
    Act.CHANGE_SETTINGS: frozenset({Role.OWNER, Role.ADMIN}),
    Act.CHANGE_TOKENS: frozenset({Role.OWNER, Role.ADMIN}),
    Act.CHANGE_WEBHOOKS: frozenset({Role.OWNER, Role.ADMIN, Role.DEVELOPER}),
    Act.SEE_AUDIT: frozenset({Role.OWNER, Role.ADMIN}),
    Act.MANAGE_MEMBERS: frozenset({Role.OWNER, Role.ADMIN}),
    Act.TRANSFER: frozenset({Role.OWNER}),
    Act.REQUIRE_FACTOR: frozenset({Role.OWNER}),
    Act.TAKE_ALONG: frozenset({Role.OWNER}),
    Act.CLOSE: frozenset({Role.OWNER}),
}


@dataclass(frozen=True)
class ActRow:
    """An act in words, and of each role, in words, whether it may."""

    label: str
    roles: Sequence[tuple[str, bool]]


def may(member: Member, act: Act) -> bool:
    """Say whether the member's role allows the act."""
    return member.role in _MAY[act]


def acts_of(member: Member) -> dict[str, bool]:
    """Return every act with whether the member may do it, for templates."""
    return {act.value: may(member, act) for act in Act}


def roles_given_by(member: Member) -> list[Role]:
    """Return the roles that the member may give to others and take from them: none above theirs."""
    if not may(member, Act.MANAGE_MEMBERS):
        return []
    return [role for role in Role if role != Role.OWNER or may(member, Act.TRANSFER)]


def table() -> list[ActRow]:
    """Return the table as people read it."""
    return [
        ActRow(str(act.label), [(str(role.label), role in _MAY[act]) for role in Role])
        for act in Act
    ]

"""What the audit trail's acts are called: the one list for its page, its filter and the API.

An app registers its own in a module of this name, which is imported when it is ready (apps.py).
Acts that are about no tenant are for operators, who read them by their names.
"""

from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


class Part(TextChoices):
    """What an act is about, to look for."""

    KEYS = "keys", _("Keys and quota")
    TEAM = "team", _("Team")
    AUTOMATION = "automation", _("Tokens and webhooks")
    BILLING = "billing", _("Plan and payments")
    UPLOADS = "uploads", _("Uploads")
    ORGANISATION = "organisation", _("Organisation")


_ACTS: dict[str, tuple[Part, Words]] = {}


def register(part: Part, acts: Mapping[str, Words]) -> None:
    """Add acts. The same name again replaces the first."""
    _ACTS.update({name: (part, words) for name, words in acts.items()})


def words_of(action: str) -> Words:
    """Return what an act is called; its name where nobody registered it."""
    return _ACTS[action][1] if action in _ACTS else action


def actions_of(part: str) -> list[str]:
    """Return the names of the acts about a part."""
    return [name for name, (its_part, _words) in _ACTS.items() if its_part == part]


register(
    Part.KEYS,
    {
        "api_key.created": _("Key created"),
        "api_key.updated": _("Key changed"),
        "api_key.rotated": _("Key rotated"),
        "api_key.overlap_ended": _("Old value of a key ended"),
        "api_key.retried": _("Key tried again"),
        "api_key.expired": _("Key expired"),
        "api_key.revoked": _("Key revoked"),
        "quota.granted": _("Requests added to a period"),
        "quota.withdrawn": _("Added requests taken back"),
        "quota.restored": _("Added requests given again"),
        "quota.capped": _("Requests capped"),
        "hold.placed": _("All keys stopped"),
        "hold.lifted": _("Keys work again"),
    },
)
register(
    Part.TEAM,
    {
        "invitation.sent": _("Invitation sent"),
        "invitation.sent_again": _("Invitation sent again"),
        "invitation.withdrawn": _("Invitation withdrawn"),
        "invitation.accepted": _("Invitation accepted"),
        "invitation.declined": _("Invitation declined"),
        "member.role_changed": _("Role changed"),
        "member.removed": _("Member removed"),
        "member.left": _("Member left"),
        "tenant.transferred": _("Organisation handed over"),
    },
)
register(
    Part.AUTOMATION,
    {
        "api_token.created": _("Token created"),
        "api_token.revoked": _("Token revoked"),
        "webhook.created": _("Webhook endpoint added"),
        "webhook.updated": _("Webhook endpoint changed"),
        "webhook.disabled": _("Webhook endpoint disabled"),
        "webhook.enabled": _("Webhook endpoint enabled"),
        "webhook.deleted": _("Webhook endpoint deleted"),
        "webhook.secret_rotated": _("Webhook secret rotated"),
        "webhook.tested": _("Test event sent"),
        "webhook.replayed": _("Event sent again"),
        "webhook.failed_replayed": _("Failed events sent again"),
    },
)
register(
    Part.ORGANISATION,
    {
        "tenant.created": _("Organisation signed up"),
        "tenant.updated": _("Organisation changed"),
        "tenant.exported": _("All data downloaded"),
        "tenant.second_factor_required": _("Second factor required"),
        "tenant.second_factor_not_required": _("Second factor not required any more"),
        "alerts.changed": _("Alerts changed"),
        "alerts.seen": _("Alerts marked as seen"),
        "alerts.mails_stopped": _("Alerts by mail stopped for a member"),
        "alerts.mails_resumed": _("Alerts by mail resumed for a member"),
        "tenant.closing": _("Deletion asked for"),
        "tenant.kept": _("Organisation kept after all"),
    },
)
register(Part.BILLING, {"tenant.plan_changed": _("Plan changed")})

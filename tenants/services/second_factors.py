"""Whether a tenant requires a second factor of everybody in it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from tenants.errors import Refused
from tenants.models import Tenant, User
from tenants.selectors.second_factors import has_second_factor
from tenants.services.audit import audit_record


@transaction.atomic
def second_factor_require(
    *, tenant: Tenant, is_required: bool, actor: User, now: datetime
) -> Tenant:
    """Require a second factor of all members, or no more; again changes nothing.

    Raise Refused where whoever asks for it has none: they would shut themselves out.
    """
    tenant = Tenant.objects.select_for_update().get(pk=tenant.pk)
    if tenant.requires_second_factor == is_required:
        return tenant
    if is_required and not has_second_factor(user=actor):
        raise Refused(_("Set up a second factor of your own first."))
    tenant.requires_second_factor = is_required
    tenant.save(update_fields=["requires_second_factor"])
    audit_record(
        action=(
            "tenant.second_factor_required" if is_required else "tenant.second_factor_not_required"
        ),
        tenant=tenant,
        actor=actor,
        now=now,
    )
    return tenant

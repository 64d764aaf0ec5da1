"""An owner takes all of the organisation's data along."""

from allauth.core.exceptions import ReauthenticationRequired
from django.contrib import messages
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from conversions.archive import safe
from portal.export import export as export_of
from portal.views.access import TenantRequest, demand, tenant_required
from portal.views.uploads.files import SLOTS
from portal.views.uploads.slots import Sent
from tenants import services
from tenants.permissions import Act
from tenants.recent import confirm_first, demand_recently_authenticated


@require_POST
@tenant_required
def export(request: TenantRequest) -> HttpResponseBase:
    """Send the archive. It is noted in the audit trail, and so it is a POST.

    Whoever confirms first who they are comes back to the button: a file would leave the question
    standing.
    """
    demand(request, Act.TAKE_ALONG)
    try:
        demand_recently_authenticated(request)
    except ReauthenticationRequired:
        return confirm_first(request, then=f"{reverse('settings')}?confirmed#export")
    tenant, now = request.member.tenant, timezone.now()
    if not SLOTS.take(tenant.pk):
        messages.error(request, _("Other archives are being downloaded. Try again in a minute."))
        return redirect("settings")
    services.audit_record(action="tenant.exported", tenant=tenant, actor=request.user, now=now)
    pieces = export_of(tenant=tenant, language=get_language() or "en")
    response = StreamingHttpResponse(Sent(pieces, SLOTS, tenant.pk), content_type="application/zip")
    name = safe(f"{tenant.name}-{now:%Y-%m-%d}.zip")
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["Cache-Control"] = "private, no-store"
    return response


urlpatterns = [path("settings/export.zip", export, name="export")]

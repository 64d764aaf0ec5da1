"""Which stages the usage plans open, and where callers reach the API.

Both are what the last deployment stored (services/stages.py), unless the settings say otherwise.
"""

from django.conf import settings

from tenants.models import GatewayStage


def stages_open() -> tuple[str, ...]:
    """Return the stages that every usage plan opens, as "api id:stage", in order."""
    if settings.BACKEND_API_ID:
        return (f"{settings.BACKEND_API_ID}:{settings.BACKEND_STAGE}",)
    return tuple(sorted(map(str, GatewayStage.objects.filter(is_closing=False))))


def stage_current() -> GatewayStage | None:
    """Return the stage that callers are told of; None before the first deployment."""
    return GatewayStage.objects.filter(ready_at__isnull=False).order_by("ready_at").last()


def api_base_url() -> str:
    """Return where callers reach the API; empty before the first deployment."""
    if settings.API_BASE_URL:
        return str(settings.API_BASE_URL)
    stage = stage_current()
    return stage.base_url if stage else ""

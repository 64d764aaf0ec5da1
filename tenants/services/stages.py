"""Move the usage plans, and callers, from stage to stage. Commands only: they wait for the gateway.

A new stage is opened in every plan before callers are told of it, and an old one stays open until
an operator closes it, so that keys are refused at no moment.
"""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from tenants import gateway
from tenants.models import GatewayStage
from tenants.services.mirrors import mirrors_follow
from tenants.stages import stage_current

Clock = Callable[[], datetime]
Say = Callable[[str], None]


def stage_open(*, api_id: str, name: str, base_url: str, clock: Clock, say: Say) -> None:
    """Have all plans open this stage, and then have callers told of it. Safe to repeat.

    Stages that the gateway has no more, as after a stack was deleted, are forgotten. Raise
    GatewayError; the next run goes on.
    """
    for other in GatewayStage.objects.exclude(api_id=api_id, name=name):
        if not gateway.stage_exists(stage=str(other)):
            other.delete()
    stage, _ = GatewayStage.objects.update_or_create(
        api_id=api_id, name=name, defaults={"base_url": base_url, "is_closing": False}
    )
    mirrors_follow(clock=clock, say=say)
    if stage_current() != stage:
        stage.ready_at = clock()
        stage.save(update_fields=["ready_at"])


def stages_replaced() -> list[GatewayStage]:
    """Return the stages that callers are no longer told of."""
    current = stage_current()
    return [stage for stage in GatewayStage.objects.all() if stage != current]


def stages_close(*, clock: Clock, say: Say) -> None:
    """Take the replaced stages out of all plans, and delete them. Safe to repeat.

    Keys are refused there from now on. Raise GatewayError; the next run goes on.
    """
    replaced = stages_replaced()
    with transaction.atomic():
        for stage in replaced:
            stage.is_closing = True
            stage.save(update_fields=["is_closing"])
    mirrors_follow(clock=clock, say=say)
    for stage in replaced:
        gateway.stage_delete(stage=str(stage))
        stage.delete()

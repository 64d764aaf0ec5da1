"""Make a preset's variants of files that were uploaded before it was as it is now, in batches.

A row says which run goes on, and how far it has come (Remake). Each step asks the functions for one
batch and then notes it, so a run that was killed between asks for that batch again, which makes
nothing twice: names of variants follow from upload, preset and version. Two steps at once ask for
the same batch, and only one of them moves the run on. A run is for one version of its preset: where
that is changed or switched off in the middle, it ends as superseded.

A run rests while many uploads are awaited, by our own rows, or much other work waits, so that no
tenant's new upload has to wait for old ones. SQS alone would not do: it may say only a minute later
what was sent. What is awaited in vain for some minutes is lost, and holds up nothing any more.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.utils.translation import gettext as _

from conversions.backend.work import jobs_send, work_waiting
from conversions.models import Preset, Remake, RemakeState
from conversions.selectors.remakes import (
    Candidate,
    remake_batch,
    remake_outcome,
    remake_uploads,
    remakes_awaited,
)
from conversions.services.watermarks import watermarks_publish
from tenants import queue
from tenants.errors import Refused
from tenants.models import User
from tenants.services import audit_record

BATCH = 100  # uploads that one step looks at
MOST_AWAITED = 200  # uploads of all runs, with which a run rests
MOST_WAITING = 200  # messages in the functions' queues, likewise
ABANDONED_AFTER = timedelta(seconds=20)  # without a step
SETTLED_AFTER = timedelta(minutes=1)  # without news of a run that ended, where none is missing
LOST_AFTER = timedelta(minutes=10)  # without news, where some are; the longest rest for them


class Step(Enum):
    """What came of a step: there is more to ask for, the run rests, or nothing is left to do."""

    MORE = "more"
    REST = "rest"
    OVER = "over"


@transaction.atomic
def remake_start(*, preset: Preset, actor: User, now: datetime) -> Remake:
    """Begin a run; one of an older version ends. Raise Refused where it would be pointless."""
    locked = Preset.objects.select_for_update().defer("watermark").get(pk=preset.pk)
    if not locked.is_active:
        raise Refused(_("“%(name)s” is not active: nothing is made by it.") % {"name": locked})
    running = Remake.objects.select_for_update().filter(preset=locked, state=RemakeState.RUNNING)
    for remake in running:
        if remake.preset_version == locked.version:
            raise Refused(_("“%(name)s” is being made of old uploads already.") % {"name": locked})
        _end(remake, RemakeState.SUPERSEDED, now=now)
    remake = Remake.objects.create(
        preset=locked,
        preset_version=locked.version,
        total=remake_uploads(preset=locked, before=now).count(),
        started_by=actor,
        created_at=now,
        checked_at=now,
        moved_at=now,
    )
    audit_record(
        action="remake.started",
        tenant=None,
        actor=actor,
        now=now,
        target=str(remake),
        uploads=remake.total,
    )
    queue.on_commit("conversions.tasks.remake_advance", remake.pk, queue="default")
    return remake


@transaction.atomic
def remake_cancel(*, remake: Remake, actor: User, now: datetime) -> None:
    """End a run; what was asked for is still made. One that has ended stays as it is."""
    locked = Remake.objects.select_for_update().select_related("preset").get(pk=remake.pk)
    if locked.state == RemakeState.RUNNING:
        _end(locked, RemakeState.CANCELLED, now=now, actor=actor)


def remake_advance(*, remake_id: int, now: datetime) -> Step:
    """Ask for the next batch of a run. Raise BackendError; the next step then begins with it."""
    remake = _looked_after(remake_id, now)
    if remake is None:
        return Step.OVER
    awaited = remakes_awaited(most=MOST_AWAITED)
    remake.awaited_after = min(awaited[remake.pk], default=remake.cursor + 1) - 1
    if sum(map(len, awaited.values())) >= MOST_AWAITED:
        if now - remake.moved_at < LOST_AFTER:
            return Step.REST
        remake.awaited_after = remake.cursor
    if work_waiting() >= MOST_WAITING:
        return Step.REST
    watermarks_publish(now=now)
    batch = remake_batch(remake=remake, most=BATCH)
    missing = [candidate for candidate in batch if not candidate.has_variant]
    uploads: dict[str, list[str]] = defaultdict(list)
    for candidate in missing:
        uploads[str(candidate.tenant)].append(str(candidate.upload))
    jobs_send(uploads=uploads, preset=remake.preset.recipe().to_mapping())
    return _noted(remake, batch, asked_for=len(missing), now=now)


def remakes_abandoned(*, now: datetime) -> list[int]:
    """Return the runs that nobody works on: they rest, or their step was lost."""
    running = Remake.objects.filter(state=RemakeState.RUNNING, checked_at__lt=now - ABANDONED_AFTER)
    return list(running.values_list("pk", flat=True))


def remakes_settle(*, now: datetime) -> None:
    """Note what came of the runs that have ended: for good, where no more news is expected.

    A run settles a little later than it seems to: what had failed before counts as failed until the
    functions begin to try it again.
    """
    ended = Remake.objects.filter(settled_at=None).exclude(state=RemakeState.RUNNING)
    for remake in ended.select_related("preset").defer("preset__watermark"):
        before = (remake.made, remake.failed, remake.missing)
        outcome = remake_outcome(remake=remake)
        if outcome != before:
            remake.made, remake.failed, remake.missing = outcome
            remake.checked_at = now
        elif now - remake.checked_at >= (LOST_AFTER if remake.missing else SETTLED_AFTER):
            remake.settled_at = now
        remake.save(update_fields=["made", "failed", "missing", "checked_at", "settled_at"])


@transaction.atomic
def _looked_after(remake_id: int, now: datetime) -> Remake | None:
    """Return a run that is to go on; one for an older version of its preset ends here."""
    remake = _locked(remake_id)
    if remake is None or remake.state != RemakeState.RUNNING:
        return None
    if not remake.preset.is_active or remake.preset.version != remake.preset_version:
        _end(remake, RemakeState.SUPERSEDED, now=now)
        return None
    remake.checked_at = now
    remake.save(update_fields=["checked_at"])
    return remake


@transaction.atomic
def _noted(before: Remake, batch: list[Candidate], *, asked_for: int, now: datetime) -> Step:
    """Move a run on behind a batch, unless another step has done so. It may be cancelled by now."""
    remake = _locked(before.pk)
    if remake is None or remake.cursor != before.cursor:
        return Step.OVER
    if batch:
        remake.cursor = batch[-1].pk
        remake.looked_at += len(batch)
        remake.asked_for += asked_for
        remake.awaited_after, remake.moved_at = before.awaited_after, now
        remake.save(update_fields=["cursor", "looked_at", "asked_for", "awaited_after", "moved_at"])
    is_running = remake.state == RemakeState.RUNNING
    if is_running and len(batch) < BATCH:
        _end(remake, RemakeState.DONE, now=now)
        return Step.OVER
    return Step.MORE if is_running else Step.OVER


def _locked(remake_id: int) -> Remake | None:
    remakes = Remake.objects.select_for_update(of=("self",)).select_related("preset")
    return remakes.filter(pk=remake_id).first()


def _end(remake: Remake, state: RemakeState, *, now: datetime, actor: User | None = None) -> None:
    remake.state, remake.finished_at = state, now
    remake.save(update_fields=["state", "finished_at"])
    audit_record(
        action=f"remake.{state}",
        tenant=None,
        actor=actor,
        now=now,
        target=str(remake),
        looked_at=remake.looked_at,
        asked_for=remake.asked_for,
    )

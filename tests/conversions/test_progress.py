"""What is known of each variant: which are awaited, which could not be made, and why."""

from itertools import permutations

import pytest
from django.utils import timezone

from conversions import services
from conversions.models import Upload, UploadError, UploadState
from conversions.names import variant_of
from tests.cast import Cast
from tests.conversions.reports import (
    NAMES,
    apply,
    died,
    failed,
    report,
    rows,
    started,
    unmade,
    variant,
    waiting,
)

pytestmark = pytest.mark.django_db

THUMB, WEB = NAMES
WAITS, THERE = ("waiting", ""), ("done", "")


def state_of(upload: Upload) -> tuple[str, str]:
    upload.refresh_from_db()
    return upload.state, upload.error_code


def test_a_variants_name_says_preset_and_version() -> None:
    assert variant_of("a-v1-v12.webp") == ("a-v1", 12)


def test_the_variants_that_are_planned_are_awaited_one_by_one(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload), variant(upload, WEB), started(upload))
    assert rows(upload) == {"thumb-v1": WAITS, "web-v1": THERE}
    assert state_of(upload) == (UploadState.PROCESSING, "")


def test_a_unit_that_fails_leaves_the_others_variants_whatever_comes_first(cast: Cast) -> None:
    for order in permutations(range(3)):
        upload = waiting(cast)
        news = [started(upload), variant(upload, WEB), unmade(upload, THUMB)]
        apply(*(news[place] for place in order), news[order[0]])
        died(upload, THUMB)
        assert rows(upload) == {"thumb-v1": ("failed", "storage"), "web-v1": THERE}, order
        assert state_of(upload) == (UploadState.FAILED, UploadError.GAVE_UP), order
        assert upload.may_retry


def test_an_upload_has_not_failed_as_long_as_variants_may_come(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload), unmade(upload, THUMB))
    assert state_of(upload) == (UploadState.PROCESSING, "")
    apply(variant(upload, WEB))
    assert state_of(upload) == (UploadState.FAILED, UploadError.GAVE_UP)
    apply(variant(upload, THUMB))  # it was made all the same: the report of an earlier try was late
    assert state_of(upload) == (UploadState.DONE, "")


def test_a_death_without_a_word_says_that_until_a_reason_comes(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload))
    died(upload, THUMB, WEB)
    assert set(rows(upload).values()) == {("failed", "stopped")}
    apply(unmade(upload, THUMB, code="out_of_memory"), unmade(upload, THUMB, code="unexpected"))
    assert rows(upload)["thumb-v1"] == ("failed", "out_of_memory")


def test_another_try_waits_for_what_is_missing_and_an_old_plans_news_change_nothing(
    cast: Cast,
) -> None:
    upload = waiting(cast)
    apply(started(upload), variant(upload, WEB), unmade(upload, THUMB))
    upload.refresh_from_db()
    services.upload_retry(upload=upload, actor=cast.alice, now=timezone.now())
    assert rows(upload) == {"thumb-v1": WAITS, "web-v1": THERE}
    apply(started(upload, plan=2, to_make=[THUMB]), started(upload), unmade(upload, THUMB))
    died(upload, THUMB)
    assert rows(upload) == {"thumb-v1": WAITS, "web-v1": THERE}
    assert state_of(upload) == (UploadState.PROCESSING, "")
    apply(unmade(upload, THUMB, plan=2, code="unexpected"))
    assert rows(upload)["thumb-v1"] == ("failed", "unexpected")


@pytest.mark.parametrize("how", ["retried", "brought back"])
def test_an_old_plans_news_do_not_start_what_waits_for_a_newer_one(cast: Cast, how: str) -> None:
    upload, now = waiting(cast), timezone.now()
    apply(started(upload))
    if how == "retried":
        apply(unmade(upload, *NAMES))
        services.upload_retry(upload=upload, actor=cast.alice, now=now)
    else:
        services.upload_delete(upload=upload, actor=cast.alice, now=now)
        services.upload_restore(upload=upload, actor=cast.alice, now=now)
    apply(started(upload))
    assert state_of(upload) == (UploadState.WAITING, "")
    apply(started(upload, plan=2))
    assert state_of(upload) == (UploadState.PROCESSING, "")


def test_what_a_newer_plan_does_without_is_not_awaited(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload), unmade(upload, THUMB), variant(upload, WEB))
    apply(started(upload, ["thumb-v2.webp", WEB], plan=2, to_make=["thumb-v2.webp"]))
    apply(unmade(upload, THUMB))
    assert rows(upload) == {"thumb-v2": WAITS, "web-v1": THERE}
    apply(started(upload, [], plan=3))
    assert (state_of(upload), upload.variants_expected) == ((UploadState.DONE, ""), 0)


def test_a_plan_for_more_leaves_what_had_failed_as_it_is(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload), variant(upload, WEB), unmade(upload, THUMB))
    apply(started(upload, [*NAMES, "avif-v1.avif"], plan=2, to_make=["avif-v1.avif"]))
    assert rows(upload)["thumb-v1"] == ("failed", "storage")
    assert state_of(upload) == (UploadState.PROCESSING, "")
    apply(variant(upload, "avif-v1.avif"))
    assert state_of(upload) == (UploadState.FAILED, UploadError.GAVE_UP)


@pytest.mark.parametrize("comes_first", ["started", "refused"])
def test_of_a_refused_file_nothing_is_awaited(cast: Cast, comes_first: str) -> None:
    upload = waiting(cast)
    news = [started(upload), report(upload, "refused", code="damaged", text="Bad.", plan=1)]
    apply(*(news if comes_first == "started" else reversed(news)))
    assert state_of(upload) == (UploadState.FAILED, UploadError.DAMAGED)
    assert set(rows(upload).values()) == {("failed", "")}


def test_an_older_files_refusal_does_not_fail_a_newer_one(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload, plan=2), report(upload, "refused", code="damaged", text="Bad.", plan=1))
    assert state_of(upload) == (UploadState.PROCESSING, "")


def test_a_failed_execution_may_have_sent_part_of_the_work(cast: Cast) -> None:
    upload = waiting(cast)
    apply(started(upload), failed(upload), variant(upload, WEB))
    assert state_of(upload) == (UploadState.FAILED, UploadError.NOT_PROCESSED)
    assert rows(upload) == {"thumb-v1": ("failed", ""), "web-v1": THERE}
    apply(variant(upload, THUMB))
    assert state_of(upload) == (UploadState.DONE, "")

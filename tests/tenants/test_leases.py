"""The arithmetic of leases, by hand-worked examples and by properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import leases
from tenants.leases import Claim, Outcome, Position, Rules, Throttle, Wait, Write

NOW = datetime(2026, 11, 15, 12, 0, tzinfo=UTC)
EXACT = Rules(lag=timedelta(0), settle=timedelta(0))
LATE = Rules(lag=timedelta(minutes=45), settle=timedelta(minutes=60))


def at(**minutes: float) -> datetime:
    return NOW + timedelta(**minutes)


FRESH = Position(
    limit=100, written_remaining=100, opened_at=None, throttle=Throttle(rate=10.0, burst=20)
)
OPEN = replace(FRESH, opened_at=at(minutes=-120))
DRY = replace(
    OPEN, seen_used=100, seen_remaining=0, seen_at=at(minutes=-1), seen_since=at(minutes=-1)
)


class TestUsedAtMost:
    def test_nothing_before_the_key_was_ever_enabled(self) -> None:
        assert leases.used_at_most(FRESH, LATE, NOW) == 0

    def test_everything_when_the_reading_is_old(self) -> None:
        assert leases.used_at_most(OPEN, LATE, NOW) == 100

    def test_what_rate_and_burst_allow_since_the_reading(self) -> None:
        read = replace(OPEN, seen_used=30, seen_remaining=70, seen_at=NOW, seen_since=NOW)
        assert leases.used_at_most(read, EXACT, NOW + timedelta(seconds=2)) == 30 + 2 * 10 + 20

    def test_the_figure_itself_at_a_believed_zero(self) -> None:
        assert leases.used_at_most(DRY, LATE, NOW) == 100

    def test_the_figure_itself_once_settled_where_nothing_is_late(self) -> None:
        read = replace(OPEN, seen_used=30, seen_remaining=70, seen_at=NOW)
        settled = replace(read, seen_since=at(minutes=-1))
        assert leases.used_at_most(settled, EXACT, NOW + timedelta(milliseconds=90)) == 30
        assert leases.used_at_most(replace(read, seen_since=NOW), EXACT, NOW) == 50

    def test_a_settled_figure_says_nothing_of_the_last_45_minutes(self) -> None:
        settled = replace(
            OPEN, seen_used=30, seen_remaining=70, seen_at=NOW, seen_since=at(minutes=-90)
        )
        assert leases.used_at_most(settled, LATE, NOW) == 100
        slow = replace(settled, throttle=Throttle(rate=0.01, burst=20))
        assert leases.used_at_most(slow, LATE, NOW) == 30 + 27

    def test_what_was_allowed_before_a_throttle_was_lowered_counts_up_to_then(self) -> None:
        slow = replace(
            OPEN, limit=1000, seen_used=30, seen_at=NOW, seen_since=NOW,
            throttle=Throttle(0.01, 2), earlier_throttle=Throttle(0.1, 20),
        )  # fmt: skip
        lowered = replace(slow, earlier_until=at(minutes=-20))
        assert leases.used_at_most(lowered, LATE, NOW) == 30 + 25 * 6 + 12 + 20
        settled = replace(lowered, seen_since=at(minutes=-90))
        assert leases.used_at_most(settled, LATE, NOW) == 30 + 25 * 6 + 12
        told = replace(slow, earlier_until=at(minutes=-45))
        assert leases.used_at_most(told, LATE, NOW) == 30 + 27 + 2
        soon = replace(slow, earlier_until=at(minutes=1))
        assert leases.used_at_most(soon, LATE, NOW) == 30 + 45 * 6 + 20
        live = replace(lowered, live_used=35, live_at=at(minutes=-21))
        assert leases.used_at_most(live, LATE, NOW) == 35 + 6 + 12 + 20
        assert leases.used_at_most(replace(live, live_at=NOW), LATE, NOW) == 35

    def test_the_figure_and_what_was_set_once_it_tells_of_all_before_that(self) -> None:
        written = replace(OPEN, written_at=at(minutes=-45), written_remaining=0, seen_used=30)
        assert leases.used_at_most(replace(written, seen_at=at(seconds=-1)), LATE, NOW) == 100
        told = replace(written, seen_at=NOW)
        assert leases.used_at_most(told, LATE, NOW) == 30
        assert leases.used_at_most(replace(told, written_remaining=9), LATE, NOW) == 39
        assert leases.used_at_most(replace(told, pending_limit=50), LATE, NOW) == 100

    def test_what_was_used_before_until_one_that_came_back_is_enabled(self) -> None:
        back = replace(OPEN, limit=160, rejoined_used=60, seen_used=19, seen_at=NOW)
        assert leases.used_at_most(back, LATE, NOW) == 60
        assert leases.next_write(back, 80, LATE, NOW) == Write(limit=80, remaining=20)
        # It stands still meanwhile: what is read late enough is all that was used.
        back = replace(back, rejoined_at=at(minutes=-45), seen_at=at(seconds=-1))
        assert leases.used_at_most(back, LATE, NOW) == 60
        assert leases.used_at_most(replace(back, seen_at=NOW), LATE, NOW) == 19

    def test_one_that_came_back_is_set_where_its_lease_is_right_and_its_counter_may_be_fresh(
        self,
    ) -> None:
        back = replace(
            OPEN, limit=93, written_remaining=1, rejoined_used=26,
            seen_used=26, seen_remaining=67, seen_at=NOW,
        )  # fmt: skip
        assert leases.next_write(back, 93, LATE, NOW) == Write(limit=93, remaining=67)
        whole = replace(back, written_remaining=67)
        assert leases.next_write(whole, 93, LATE, NOW) is Wait.NOTHING_TO_DO

    def test_the_figure_itself_once_closed_and_read_late_enough(self) -> None:
        closed = replace(OPEN, closed_at=at(minutes=-50), seen_used=30, seen_remaining=70)
        early = replace(closed, seen_at=at(minutes=-6), seen_since=at(minutes=-6))
        final = replace(closed, seen_at=at(minutes=-5), seen_since=at(minutes=-5))
        assert leases.used_at_most(early, LATE, NOW) == 100
        assert leases.used_at_most(final, LATE, NOW) == 30


class TestLiveMeter:
    LIVE = replace(
        OPEN, seen_used=30, seen_remaining=70, seen_at=NOW, seen_since=NOW,
        live_used=40, live_at=at(seconds=-2),
    )  # fmt: skip

    def test_the_time_that_no_reading_tells_of_is_seconds(self) -> None:
        assert leases.used_at_most(self.LIVE, LATE, NOW) == 40 + 2 * 10 + 20
        off = replace(self.LIVE, live_at=None)
        assert leases.used_at_most(off, LATE, NOW) == 100

    def test_one_that_is_behind_makes_us_slower_not_wrong(self) -> None:
        behind = replace(self.LIVE, live_at=at(minutes=-5))
        assert leases.used_at_most(behind, LATE, NOW) == 100
        assert leases.used_at_most(behind, EXACT, NOW) == 50

    def test_one_that_has_lost_lines_is_not_believed(self) -> None:
        assert leases.used_at_most(replace(self.LIVE, live_used=29), LATE, NOW) == 100

    def test_a_key_that_was_disabled_before_the_newest_line_is_known_exactly(self) -> None:
        closed = replace(self.LIVE, closed_at=at(seconds=-3))
        assert leases.used_at_most(closed, LATE, NOW) == 40
        still_open_then = replace(self.LIVE, closed_at=at(seconds=-1))
        assert leases.used_at_most(still_open_then, LATE, NOW) == 40 + 10 + 20

    def test_more_than_the_lease_has_never_passed(self) -> None:
        assert leases.used_at_most(replace(self.LIVE, live_used=140), LATE, NOW) == 100

    def test_a_release_frees_at_once_what_the_meter_knows_to_be_unused(self) -> None:
        assert leases.next_write(self.LIVE, 0, LATE, NOW) == Write(limit=80, remaining=0)


class TestDry:
    def test_a_zero_from_before_the_last_write_is_stale(self) -> None:
        raised = replace(
            DRY, limit=200, written_remaining=100, written_seen=100, written_at=at(seconds=-30)
        )
        assert not leases.is_dry(raised)
        assert leases.is_dry(replace(raised, seen_used=200))

    def test_a_zero_that_we_wrote_proves_nothing(self) -> None:
        assert not leases.is_dry(replace(DRY, written_remaining=0, written_seen=100))

    def test_no_zero_is_believed_while_a_write_is_unconfirmed(self) -> None:
        assert not leases.is_dry(replace(DRY, pending_limit=200, pending_remaining=100))


class TestNextWrite:
    def test_a_buyer_who_ran_dry_is_served_exactly_and_at_once(self) -> None:
        assert leases.next_write(DRY, 200, LATE, NOW) == Write(limit=200, remaining=100)

    def test_a_raise_that_could_lower_what_the_key_has_is_owed(self) -> None:
        read = replace(OPEN, seen_used=30, seen_remaining=70, seen_at=NOW, seen_since=NOW)
        # All 100 may be used by now: N = 150 - 100 = 50, but the key may still have 70.
        assert leases.next_write(read, 150, LATE, NOW) is Wait.OWED
        # N = 250 - 100 = 150 is more than 70.
        assert leases.next_write(read, 250, LATE, NOW) == Write(limit=250, remaining=150)

    def test_a_release_frees_only_what_cannot_have_been_used(self) -> None:
        read = replace(OPEN, seen_used=30, seen_remaining=70, seen_at=NOW, seen_since=NOW)
        assert leases.next_write(read, 0, EXACT, NOW) == Write(limit=50, remaining=0)

    def test_what_uncertainty_held_back_is_repaid_once_known(self) -> None:
        held_back = replace(
            OPEN,
            limit=200,
            written_remaining=130,
            written_seen=50,
            written_at=at(minutes=-180),
            seen_used=185,
            seen_remaining=0,
            seen_at=NOW,
            seen_since=NOW,
        )
        assert leases.next_write(held_back, 200, LATE, NOW) == Write(limit=200, remaining=15)
        repaid = replace(held_back, seen_remaining=15)
        assert leases.next_write(repaid, 200, EXACT, NOW) is Wait.NOTHING_TO_DO

    def test_a_reading_from_before_the_write_repays_nothing(self) -> None:
        just_written = replace(DRY, limit=200, written_seen=100, written_at=NOW)
        settled = replace(just_written, seen_since=at(minutes=-90))
        assert leases.next_write(settled, 200, EXACT, NOW) is Wait.NOTHING_TO_DO

    def test_nothing_is_written_over_a_write_whose_outcome_is_unknown(self) -> None:
        pending = replace(DRY, pending_limit=200, pending_remaining=100, pending_at=NOW)
        assert leases.next_write(pending, 200, LATE, NOW) is Wait.OWED


class TestPendingOutcome:
    SENT = replace(
        DRY,
        pending_limit=200,
        pending_remaining=100,
        pending_seen=100,
        pending_at=at(minutes=-10),
    )

    @pytest.mark.parametrize(
        ("used", "remaining", "expected"),
        [
            (100, 100, Outcome.APPLIED),
            (130, 70, Outcome.APPLIED),
            (200, 0, Outcome.APPLIED),
            (100, 0, Outcome.UNKNOWN),
            (101, 0, Outcome.UNKNOWN),  # one that the old lease let pass by itself
        ],
    )
    def test_under_lag(self, used: int, remaining: int, expected: Outcome) -> None:
        read = replace(self.SENT, seen_used=used, seen_remaining=remaining, seen_at=NOW)
        assert leases.pending_outcome(read, LATE) is expected

    def test_not_applied_is_known_from_a_reading_that_cannot_be_older(self) -> None:
        read = replace(self.SENT, seen_at=at(minutes=36))
        assert leases.pending_outcome(read, LATE) is Outcome.NOT_APPLIED
        assert leases.pending_outcome(replace(self.SENT, seen_at=NOW), EXACT) is Outcome.NOT_APPLIED

    def test_a_reading_from_before_the_write_tells_nothing(self) -> None:
        read = replace(self.SENT, seen_at=at(minutes=-11), seen_remaining=100)
        assert leases.pending_outcome(read, EXACT) is Outcome.UNKNOWN


class TestShares:
    def test_one_key_gets_exactly_the_entitlement(self) -> None:
        assert leases.shares(200, 20, 0, {1: Claim(ceiling=100, most_used=100, needs=True)}) == {
            1: 200
        }

    def test_nothing_moves_where_nobody_needs(self) -> None:
        claims = {1: Claim(60, 50, needs=False), 2: Claim(40, 0, needs=False)}
        assert leases.shares(100, 20, 0, claims) == {1: 60, 2: 40}

    def test_a_new_key_gets_half_of_what_is_unused(self) -> None:
        claims = {1: Claim(100, 40, needs=False), 2: Claim(1, 0, needs=True)}
        assert leases.shares(100, 20, 0, claims) == {1: 70, 2: 30}

    def test_a_key_in_use_is_not_starved_while_another_holds_what_it_does_not_use(self) -> None:
        claims = {1: Claim(50, 50, True, used_of_late=50), 2: Claim(50, 0, False, used_of_late=0)}
        assert leases.shares(100, 20, 0, claims) == {1: 98, 2: 2}
        last = {1: Claim(1, 0, False, used_of_late=0), 2: Claim(99, 99, True, used_of_late=9)}
        assert leases.shares(100, 20, 0, last) == {1: 0, 2: 100}

    def test_keys_in_use_share_what_is_unused_by_their_use(self) -> None:
        claims = {
            1: Claim(400, 400, True, used_of_late=400),
            2: Claim(500, 100, False, used_of_late=100),
            3: Claim(100, 0, True),  # a new one, which counts as one of them
        }
        assert leases.shares(1_000, 20, 0, claims) == {1: 400 + 258, 2: 100 + 76, 3: 166}

    def test_the_advance_is_lent_only_to_a_key_that_would_have_nothing(self) -> None:
        claims = {1: Claim(100, 100, needs=False), 2: Claim(1, 0, needs=True)}
        assert leases.shares(100, 20, 60, claims) == {1: 100, 2: 20}

    def test_it_is_not_taken_back_before_usage_settles(self) -> None:
        claims = {1: Claim(100, 100, needs=False), 2: Claim(20, 0, needs=False)}
        assert leases.shares(100, 20, 60, claims) == {1: 100, 2: 20}
        assert leases.shares(100, 20, 0, claims) == {1: 100, 2: 0}

    def test_the_advance_is_not_lent_where_nothing_can_come_back(self) -> None:
        claims = {1: Claim(100, 100, needs=True), 2: Claim(1, 0, needs=True)}
        assert leases.shares(100, 20, 0, claims) == {1: 100, 2: 0}

    @given(
        entitlement=st.integers(0, 10_000),
        advance=st.integers(0, 100),
        uncertain=st.integers(0, 5_000),
        claims=st.dictionaries(
            st.integers(0, 5),
            st.builds(
                lambda used, spare, needs, late: Claim(used + spare, used, needs, late),
                st.integers(0, 3_000),
                st.integers(0, 3_000),
                st.booleans(),
                st.none() | st.integers(0, 3_000),
            ),
            min_size=1,
        ),
    )
    def test_never_more_than_the_entitlement_and_the_advance(
        self, entitlement: int, advance: int, uncertain: int, claims: dict[int, Claim]
    ) -> None:
        targets = leases.shares(entitlement, advance, uncertain, claims)
        used = sum(claim.most_used for claim in claims.values())
        allowed = entitlement + (advance if len(claims) > 1 else 0)
        assert sum(targets.values()) <= max(allowed, used)
        assert all(targets[key] >= claim.most_used for key, claim in claims.items())

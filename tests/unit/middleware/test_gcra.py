"""Limits as arithmetic, beside a bucket that leaks: who is let through, and for how long others wait."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.middleware import Limit, per_day, per_hour, per_minute, per_second
from packhorse.middleware.gcra import SECOND, State, give_back, take

LIMITS = st.builds(
    Limit,
    st.integers(1, 50),
    st.sampled_from([0.1, 1, 7.5, 60, 3_600]),
    burst=st.integers(1, 20),
)
PAUSES = st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60)


class Bucket:
    """A bucket that leaks evenly, and takes a job while it holds no more than the allowance."""

    def __init__(self, limit: Limit) -> None:
        self.pace = limit.pace
        self.level = 0
        self.now = 0

    def let_through(self, now: int) -> bool:
        self.level = max(0, self.level - (now - self.now))
        self.now = now
        if self.level > self.pace.allowance:
            return False
        self.level += self.pace.interval
        return True


def arrivals(pauses: Sequence[int]) -> list[int]:
    now, moments = 1_700_000_000 * SECOND, []
    for pause in pauses:
        now += pause
        moments.append(now)
    return moments


@given(LIMITS, PAUSES)
def test_it_decides_as_a_leaking_bucket(limit: Limit, pauses: list[int]) -> None:
    bucket, states = Bucket(limit), [State()]
    for now in arrivals(pauses):
        states, wait = take([limit.pace], states, now)
        assert (wait == 0) == bucket.let_through(now)
        states = [State.read(states[0].packed())]


@given(LIMITS, PAUSES)
def test_no_window_has_more_than_was_said(limit: Limit, pauses: list[int]) -> None:
    states, let_through = [State()], []
    for now in arrivals(pauses):
        states, wait = take([limit.pace], states, now)
        if not wait:
            let_through.append(now)
    period = round(limit.period * SECOND)
    for start in let_through:
        assert (
            sum(start <= m < start + period for m in let_through) <= limit.count + limit.burst - 1
        )


@given(LIMITS, PAUSES)
def test_the_wait_is_exact(limit: Limit, pauses: list[int]) -> None:
    states = [State()]
    for now in arrivals(pauses):
        after, wait = take([limit.pace], states, now)
        if wait and states[0].promised <= now:
            assert take([limit.pace], states, now + wait)[1] == 0
            assert take([limit.pace], states, now + wait - 1)[1] > 0
        states = after


@given(LIMITS, LIMITS, PAUSES)
def test_several_take_all_or_none(one: Limit, other: Limit, pauses: list[int]) -> None:
    paces, states = [one.pace, other.pace], [State(), State()]
    for now in arrivals(pauses):
        after, wait = take(paces, states, now)
        alone = [take([p], [s], now)[1] == 0 for p, s in zip(paces, states, strict=True)]
        assert (wait == 0) == all(alone)
        if wait:
            assert [s.due for s in after] == [s.due for s in states]
        else:
            assert all(a.due > s.due for a, s in zip(after, states, strict=True))
        states = after


def test_one_that_is_full_waits_a_whole_period() -> None:
    pace, now = per_minute(1).pace, 10**18
    states, _ = take([pace], [State()], now)
    assert take([pace], states, now)[1] == 60 * SECOND


@pytest.mark.parametrize("count", [1, 4])
def test_each_waiter_is_told_a_moment_of_its_own(count: int) -> None:
    pace, now = per_minute(count).pace, 10**18
    states, _ = take([pace], [State()], now)
    waits = []
    for _ in range(4):
        states, wait = take([pace], states, now)
        waits.append(wait)
    assert waits == [waits[0] + n * pace.interval for n in range(4)]
    assert waits[0] == pace.interval - pace.allowance


def test_a_worker_that_is_a_little_late_delays_nobody() -> None:
    pace, now = per_second(10).pace, 10**18
    states, _ = take([pace], [State()], now)
    for number in range(1, 50):
        due = now + number * pace.interval
        states, wait = take([pace], states, due + (number % 3) * 10_000_000 - pace.allowance // 2)
        assert wait == 0, number


def test_what_was_given_back_may_be_taken_again() -> None:
    pace, now = per_hour(1).pace, 10**18
    states, _ = take([pace], [State()], now)
    assert take([pace], states, now)[1] > 0
    assert take([pace], [give_back(pace, states[0])], now)[1] == 0


def test_a_burst_comes_at_once() -> None:
    pace, now = per_minute(60, burst=5).pace, 10**18
    states, waits = [State()], []
    for _ in range(6):
        states, wait = take([pace], states, now)
        waits.append(wait > 0)
    assert waits == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("limit", "period"),
    [(per_second(3), 1), (per_minute(3), 60), (per_hour(3), 3_600), (per_day(3), 86_400)],
)
def test_the_periods(limit: Limit, period: int) -> None:
    assert (limit.count, limit.period, limit.burst) == (3, period, 1)


@pytest.mark.parametrize("wrong", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, -1, 1), (1, 1e12, 1)])
def test_what_is_no_limit(wrong: tuple[int, float, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        Limit(*wrong)

"""What the worker does next: it takes what it can start soon and hoards nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from packhorse.worker.plan import (
    EXIT_CODES,
    PREFETCH_LIMIT,
    PREFETCH_SECONDS,
    Limits,
    Load,
    Progress,
    Recycling,
    StopReason,
    hard_time_out,
    mean_duration,
    prefetch,
    renewal_due,
    stalled,
    stop_reason,
    to_reserve,
    too_old,
    trouble_pause,
)

means = st.none() | st.floats(0, 1e4)
concurrencies = st.integers(1, 64)
loads = st.integers(0, 3_000).flatmap(
    lambda held: st.builds(Load, st.just(held), st.integers(0, held), means)
)


@given(loads, concurrencies, st.none() | st.integers(-5, 100))
def test_never_more_than_there_is_room_for(load: Load, concurrency: int, left: int | None) -> None:
    wanted = to_reserve(load, concurrency, left)
    assert wanted >= 0
    if wanted:
        assert load.held + wanted <= concurrency + prefetch(load.mean, concurrency)
        assert left is None or wanted <= left


@given(means, concurrencies)
def test_what_waits_is_at_most_50_ms_of_work(mean: float | None, concurrency: int) -> None:
    waiting = prefetch(mean, concurrency)
    assert 0 <= waiting <= PREFETCH_LIMIT
    assert waiting * (mean or 0.0) / concurrency <= PREFETCH_SECONDS * 1.000_001
    if mean is None:
        assert waiting == 0, "nothing is known yet"


@given(concurrencies, st.floats(PREFETCH_SECONDS * 64 * 1.01, 1e4))
def test_nothing_is_hoarded_of_slow_jobs(concurrency: int, mean: float) -> None:
    assert prefetch(mean, concurrency) == 0
    assert to_reserve(Load(0, 0, mean), concurrency, None) == concurrency
    assert to_reserve(Load(concurrency, 0, mean), concurrency, None) == 0


def test_of_one_second_jobs_only_what_starts_now_is_taken() -> None:
    for held in range(9):
        assert to_reserve(Load(held, 0, 1.0), 8, None) == 8 - held


def test_fast_jobs_are_taken_in_batches() -> None:
    room = 8 + prefetch(0.0005, 8)
    assert prefetch(0.0005, 8) == 800
    assert to_reserve(Load(0, 0, 0.0005), 8, None) == room
    asked = [to_reserve(Load(held, 0, 0.0005), 8, None) for held in range(room + 1)]
    assert min(each for each in asked if each) >= 400


@given(loads, concurrencies)
def test_a_free_worker_always_takes_something(load: Load, concurrency: int) -> None:
    """Else it would wait for a settlement that never comes."""
    assert to_reserve(Load(0, 0, load.mean), concurrency, None) > 0


@given(
    st.integers(0, 50),
    concurrencies,
    means,
    st.lists(st.integers(0, 100), min_size=1, max_size=60),
)
def test_max_jobs_is_never_exceeded(
    max_jobs: int, concurrency: int, mean: float | None, finished: list[int]
) -> None:
    """Each round reserves all that it may, and some of what is held is run."""
    held = ran = 0
    for number in finished:
        held += to_reserve(Load(held, 0, mean), concurrency, max_jobs - ran - held)
        done = min(held, number)
        held, ran = held - done, ran + done
        assert held + ran <= max_jobs


@given(means, st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_the_mean_lies_among_what_was_measured(mean: float | None, durations: list[float]) -> None:
    new = mean_duration(mean, sum(durations), len(durations))
    seen = durations if mean is None else [mean, *durations]
    assert min(seen) - 1e-6 <= new <= max(seen) + 1e-6


def test_a_slow_spell_ends_the_prefetch_soon() -> None:
    mean: float | None = 0.0001
    for _ in range(3):
        mean = mean_duration(mean, 10.0, 10)
    assert prefetch(mean, 8) == 0


NOTHING = Progress(jobs=0, age=0.0, idle=0.0, memory=0, empty=False)
ALL = Progress(jobs=10, age=60.0, idle=5.0, memory=101, empty=True)
STOPS: dict[str, tuple[Limits, StopReason | None]] = {
    "no limits": (Limits(), None),
    "memory": (Limits(max_memory=100), "memory"),
    "max_jobs": (Limits(max_jobs=10), "max_jobs"),
    "max_time": (Limits(max_time=60.0), "max_time"),
    "empty": (Limits(stop_when_empty=True), "empty"),
    "empty_for": (Limits(stop_when_empty_for=5.0), "empty_for"),
    "memory comes first": (Limits(10, 60.0, 100, True, 5.0), "memory"),
    "then max_jobs": (Limits(10, 60.0, 101, True, 5.0), "max_jobs"),
    "then max_time": (Limits(11, 60.0, 101, True, 5.0), "max_time"),
    "then empty": (Limits(11, 61.0, 101, True, 5.0), "empty"),
    "then empty_for": (Limits(11, 61.0, 101, False, 5.0), "empty_for"),
    "none of them": (Limits(11, 61.0, 101, False, 6.0), None),
    "jobs of a process": (Limits(recycling=Recycling(jobs=10)), "recycled"),
    "age of a process": (Limits(recycling=Recycling(time=60.0)), "recycled"),
    "memory of a process": (Limits(recycling=Recycling(memory=101)), "recycled"),
    "a limit comes before recycling": (
        Limits(max_jobs=10, recycling=Recycling(jobs=1)),
        "max_jobs",
    ),
    "no process is old yet": (Limits(recycling=Recycling(11, 61.0, 102)), None),
}


@pytest.mark.parametrize(("limits", "reason"), STOPS.values(), ids=STOPS.keys())
def test_why_it_stops(limits: Limits, reason: StopReason | None) -> None:
    assert stop_reason(limits, ALL) == reason
    assert stop_reason(limits, NOTHING) is None


def test_a_limit_of_no_jobs_is_reached_at_once() -> None:
    assert stop_reason(Limits(max_jobs=0), NOTHING) == "max_jobs"


def test_each_reason_has_an_exit_code() -> None:
    by_limit = {reason for _, reason in STOPS.values() if reason}
    assert by_limit | {"stopped", "interrupted", "restarted", "stuck", "deaf"} == set(EXIT_CODES)
    assert {reason for reason, code in EXIT_CODES.items() if code} == {"memory", "stuck", "deaf"}
    assert EXIT_CODES["memory"] == 12


def test_a_job_that_cannot_be_stopped_comes_before_every_limit() -> None:
    stuck = structs.replace(ALL, stuck=True)
    assert stop_reason(Limits(max_memory=100), stuck) == "stuck"


def test_a_worker_that_hears_nothing_ends() -> None:
    assert stop_reason(Limits(), Progress(0, 0.0, 0.0, 0, empty=False, deaf=True)) == "deaf"


def test_a_job_cannot_be_stopped_when_it_outlasts_time_out_and_grace() -> None:
    assert not hard_time_out(100.0, 20.0, 5.0, 124.9)
    assert hard_time_out(100.0, 20.0, 5.0, 125.0)
    assert not hard_time_out(100.0, 0.0, 5.0, 1e9)  # it has no time-out


@given(st.floats(0, 1, exclude_max=True))
def test_recycling_comes_up_to_a_tenth_sooner(random: float) -> None:
    spread = Recycling(1_000, 100.0, 10_000).spread(random)
    assert spread.jobs is not None
    assert spread.time is not None
    assert spread.memory is not None
    assert 900 <= spread.jobs <= 1_000
    assert 90.0 <= spread.time <= 100.0
    assert 9_000 <= spread.memory <= 10_000
    assert Recycling(jobs=1).spread(random) == Recycling(jobs=1)


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0.1, 1e4))
def test_thirds_of_a_lease(reserved_at: float, waited: float, lease: float) -> None:
    now = reserved_at + waited
    assert too_old(reserved_at, now, lease) == (now - reserved_at >= lease / 3)
    assert renewal_due(reserved_at + lease, now, lease) == (
        now >= reserved_at + lease - lease * 2 / 3
    )


def test_a_lease_is_renewed_when_a_third_is_used_up() -> None:
    assert not renewal_due(deadline=130.0, now=109.9, lease=30.0)
    assert renewal_due(deadline=130.0, now=110.0, lease=30.0)
    assert not too_old(100.0, 109.9, 30.0)
    assert too_old(100.0, 110.0, 30.0)


def test_what_should_have_started_in_fifty_milliseconds_goes_back_after_half_a_second() -> None:
    assert not stalled(arrived=100.0, now=100.49)
    assert stalled(arrived=100.0, now=100.5)


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_broker_that_is_away_is_asked_less_and_less_often(failures: int, random: float) -> None:
    pause = trouble_pause(failures, random)
    assert 0.025 <= pause <= 5.0
    assert trouble_pause(failures, 0.0) <= trouble_pause(failures + 1, 0.0)
    assert math.isclose(trouble_pause(100, 0.0), 5.0)

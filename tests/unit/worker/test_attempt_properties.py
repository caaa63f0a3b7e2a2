"""What holds for all rows of the table of outcomes at once."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from packhorse.context import Delete, Fail, Release
from packhorse.errors import JobTimedOut
from packhorse.options import Exponential
from packhorse.worker.attempt import (
    Again,
    Bury,
    Ending,
    Facts,
    Finish,
    Policy,
    after,
    before,
    pause,
)

NOW = 1_000.0
ERROR = ValueError("no")
TIME_OUT = JobTimedOut("too long")


moments = st.none() | st.floats(0, 2_000)
errors = st.none() | st.sampled_from([ERROR, TIME_OUT])
wishes = st.none() | st.sampled_from([Fail("f"), Fail("f", ERROR), Release(3.0), Delete()])
delays = st.floats(0, 1e6)
backoffs = (
    delays
    | st.lists(delays, min_size=1, max_size=4).map(tuple)
    | st.builds(Exponential, delays, delays, st.floats(0, 1))
)
random = st.floats(0, 1, exclude_max=True)
facts = st.builds(
    Facts,
    st.just(NOW),
    st.integers(0, 20),
    st.integers(0, 20),
    moments,
    moments,
    st.booleans(),
)
policies = st.builds(
    Policy,
    tries=st.integers(0, 10),
    backoff=backoffs,
    fail_on_timeout=st.booleans(),
    max_losses=st.integers(0, 5),
)
endings = st.builds(Ending, errors, st.booleans(), wishes, st.booleans())


@given(policies, st.lists(st.tuples(endings, random), max_size=40))
def test_a_job_never_fails_more_often_than_it_may(
    policy: Policy, runs: list[tuple[Ending, float]]
) -> None:
    """Ran from its dispatch to its end, or until the list is spent."""
    facts, failures = Facts(NOW), 0
    for ending, number in runs:
        if before(facts, policy) is not None:
            break
        verdict = after(facts, policy, ending, number)
        failures += ending.error is not None
        if not isinstance(verdict, Again):
            break
        facts = Facts(NOW, verdict.failed, verdict.lost)
        assert facts.failed <= failures
    if policy.tries:
        assert failures <= policy.tries


@given(facts, policies, endings, random)
def test_precedence_and_counters(
    facts: Facts, policy: Policy, ending: Ending, number: float
) -> None:
    verdict = after(facts, policy, ending, number)
    if isinstance(ending.wish, Fail):
        assert isinstance(verdict, Bury)
        assert verdict.reason == "f"
    elif ending.error is not None:
        assert isinstance(verdict, Bury | Again)
        assert verdict.error is ending.error
        if isinstance(verdict, Again):
            assert (verdict.failed, verdict.lost) == (facts.failed + 1, facts.lost)
            assert verdict.delay == pause(policy.backoff, facts.failed + 1, number)
            assert facts.until is None or facts.until > facts.now
    elif isinstance(ending.wish, Release):
        assert verdict == Again(3.0, facts.failed, facts.lost)
    else:
        assert isinstance(verdict, Finish)


@given(facts, policies)
def test_what_may_run(facts: Facts, policy: Policy) -> None:
    runs = before(facts, policy) is None
    spent = bool(policy.tries) and facts.failed >= policy.tries
    over = facts.until is not None and facts.until <= NOW
    expired = facts.expires is not None and facts.expires <= NOW
    lost = facts.lost > policy.max_losses
    assert runs == (not (facts.cancelled or expired or lost or over or spent))


@given(facts, policies, st.integers(0, 30))
def test_at_most_once_never_starts_again(facts: Facts, policy: Policy, lost: int) -> None:
    assume(lost > 0 or facts.failed > 0)
    once = Policy(tries=1, max_losses=0)
    again = Facts(NOW, facts.failed, lost, facts.until, facts.expires, facts.cancelled)
    assert before(again, once) is not None


@given(backoffs, st.integers(1, 2_000), random)
def test_a_backoff_keeps_its_bounds(
    backoff: float | tuple[float, ...] | Exponential, failures: int, number: float
) -> None:
    delay = pause(backoff, failures, number)
    assert math.isfinite(delay)
    assert delay >= 0
    if isinstance(backoff, Exponential):
        full = pause(Exponential(backoff.base, backoff.cap, 0.0), failures, number)
        assert delay <= full <= backoff.cap
        assert delay >= full * (1 - backoff.jitter) * 0.999
    elif isinstance(backoff, tuple):
        assert delay == (backoff[failures - 1] if failures <= len(backoff) else backoff[-1])
    else:
        assert delay == backoff


@given(delays, delays, st.integers(1, 100))
def test_an_exponential_backoff_doubles_up_to_its_cap(base: float, cap: float, n: int) -> None:
    backoff = Exponential(base, cap, 0.0)
    assert pause(backoff, n, 0.0) == min(cap, base * 2.0 ** min(n - 1, 64))
    assert pause(backoff, n, 0.0) <= pause(backoff, n + 1, 0.0)


@given(st.integers(1, 100), st.floats(allow_nan=True))
def test_a_backoff_that_is_computed(failures: int, answer: float) -> None:
    asked: list[int] = []

    def backoff(number: int) -> float:
        asked.append(number)
        return answer

    delay = pause(backoff, failures, 0.5)
    assert asked == [failures]
    assert delay == (answer if answer > 0 else 0.0)

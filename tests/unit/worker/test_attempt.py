"""What becomes of an attempt: the table, row by row, and what holds for all of its rows at once."""

import math
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from packhorse.context import Delete, Fail, Release, Wish
from packhorse.errors import JobTimedOut, MaxAttemptsExceeded
from packhorse.options import Exponential
from packhorse.worker.attempt import (
    Again,
    Bury,
    Ending,
    Facts,
    Finish,
    Policy,
    Verdict,
    after,
    before,
    pause,
    unknown,
)

NOW = 1_000.0
ERROR = ValueError("no")
TIME_OUT = JobTimedOut("too long")
FAILED_ONCE = Facts(NOW, failed=1, lost=2)
THREE_TRIES = Policy(tries=3, backoff=5.0)


class Start(NamedTuple):
    """One row about what becomes of a delivery before it runs; None: it runs."""

    facts: Facts
    policy: Policy
    becomes: Finish | Bury | None


STARTS = {
    "the first time": Start(Facts(NOW), Policy(), None),
    "after failures, with tries left": Start(Facts(NOW, failed=2), Policy(tries=3), None),
    "without a limit": Start(Facts(NOW, failed=10**6), Policy(tries=0), None),
    "spent already": Start(
        Facts(NOW, failed=3),
        Policy(tries=3),
        Bury("failed 3 times, tries=3", MaxAttemptsExceeded("failed 3 times, tries=3")),
    ),
    "retry_until ahead": Start(Facts(NOW, failed=9, until=NOW + 1), Policy(tries=0), None),
    "retry_until over": Start(
        Facts(NOW, until=NOW),
        Policy(tries=0),
        Bury("retry_until is over", MaxAttemptsExceeded("retry_until is over")),
    ),
    "retry_until ahead, tries spent": Start(
        Facts(NOW, failed=1, until=NOW + 1),
        Policy(tries=1),
        Bury("failed 1 times, tries=1", MaxAttemptsExceeded("failed 1 times, tries=1")),
    ),
    "expires ahead": Start(Facts(NOW, expires=NOW + 1), Policy(), None),
    "expires over": Start(Facts(NOW, expires=NOW), Policy(), Finish("expired")),
    "cancelled": Start(Facts(NOW, cancelled=True), Policy(), Finish("cancelled")),
    "cancelled and everything else": Start(
        Facts(NOW, 9, 9, NOW, NOW, cancelled=True), Policy(), Finish("cancelled")
    ),
    "expired and lost and spent": Start(Facts(NOW, 9, 9, NOW, NOW), Policy(), Finish("expired")),
    "lost as often as allowed": Start(Facts(NOW, lost=3), Policy(max_losses=3), None),
    "lost too often": Start(
        Facts(NOW, lost=4),
        Policy(max_losses=3),
        Bury("quarantined: started and never reported back 4 times"),
    ),
    "lost, and spent too": Start(
        Facts(NOW, failed=1, lost=4, until=NOW),
        Policy(),
        Bury("quarantined: started and never reported back 4 times"),
    ),
    "at_most_once, lost": Start(
        Facts(NOW, lost=1),
        Policy(tries=1, max_losses=0),
        Bury("quarantined: started and never reported back once"),
    ),
    "tries=1 starts again after a crash": Start(Facts(NOW, lost=1), Policy(tries=1), None),
}


@pytest.mark.parametrize("row", STARTS.values(), ids=STARTS.keys())
def test_before_it_runs(row: Start) -> None:
    becomes = before(row.facts, row.policy)
    assert same(becomes, row.becomes)


class End(NamedTuple):
    """One row about what follows from how a run ended."""

    facts: Facts
    policy: Policy
    ending: Ending
    becomes: Verdict


def ended(
    becomes: Verdict,
    *,
    facts: Facts = FAILED_ONCE,
    policy: Policy = THREE_TRIES,
    error: BaseException | None = None,
    timed_out: bool = False,
    wish: Wish | None = None,
    skipped: bool = False,
) -> End:
    return End(facts, policy, Ending(error, timed_out, wish, skipped), becomes)


AGAIN = Again(5.0, failed=2, lost=2, error=ERROR)
SPENT = Policy(tries=2)
ENDS = {
    "handler returned": ended(Finish("done")),
    "ctx.delete()": ended(Finish("deleted"), wish=Delete()),
    "a middleware skipped it": ended(Finish("skipped"), skipped=True),
    "ctx.release(d)": ended(Again(7.0, 1, 2), wish=Release(7.0)),
    "ctx.release(d), with tries spent": ended(
        Again(7.0, 1, 2), policy=Policy(tries=1), wish=Release(7.0)
    ),
    "ctx.release() into the past": ended(Again(0.0, 1, 2), wish=Release(-7.0)),
    "a middleware released it": ended(Again(7.0, 1, 2), wish=Release(7.0), skipped=True),
    "exception, failures < tries": ended(AGAIN, error=ERROR),
    "exception, no limit": ended(AGAIN, policy=Policy(tries=0, backoff=5.0), error=ERROR),
    "exception, before retry_until": ended(
        AGAIN, facts=Facts(NOW, 1, 2, until=NOW + 1), error=ERROR
    ),
    "exception, spent": ended(Bury("failed at attempt 2 of 2", ERROR), policy=SPENT, error=ERROR),
    "exception, retry_until over": ended(
        Bury("retry_until is over", ERROR), facts=Facts(NOW, 1, 2, until=NOW), error=ERROR
    ),
    "exception, spent before retry_until is over": ended(
        Bury("failed at attempt 2 of 2", ERROR),
        facts=Facts(NOW, 1, 2, until=NOW + 1),
        policy=SPENT,
        error=ERROR,
    ),
    "exception, expires over while it ran": ended(
        AGAIN, facts=Facts(NOW, 1, 2, expires=NOW - 1), error=ERROR
    ),
    "time-out, failures < tries": ended(Again(5.0, 2, 2, TIME_OUT), error=TIME_OUT, timed_out=True),
    "time-out, spent": ended(
        Bury("failed at attempt 2 of 2", TIME_OUT), policy=SPENT, error=TIME_OUT, timed_out=True
    ),
    "time-out, fail_on_timeout": ended(
        Bury("timed out", TIME_OUT),
        policy=Policy(tries=9, fail_on_timeout=True),
        error=TIME_OUT,
        timed_out=True,
    ),
    "exception, fail_on_timeout": ended(
        AGAIN, policy=Policy(tries=9, backoff=5.0, fail_on_timeout=True), error=ERROR
    ),
    "ctx.fail()": ended(Bury("enough"), wish=Fail("enough")),
    "ctx.fail(error)": ended(Bury("no", ERROR), wish=Fail("no", ERROR)),
    "ctx.fail() from a middleware that skipped it": ended(
        Bury("enough"), wish=Fail("enough"), skipped=True
    ),
    "ctx.fail() wins over an exception": ended(
        Bury("enough", ERROR), wish=Fail("enough"), error=ERROR
    ),
    "ctx.fail(error) keeps its own": ended(
        Bury("no", ERROR), wish=Fail("no", ERROR), error=KeyError()
    ),
    "an exception wins over ctx.release()": ended(AGAIN, wish=Release(7.0), error=ERROR),
    "an exception wins over ctx.delete()": ended(AGAIN, wish=Delete(), error=ERROR),
}


@pytest.mark.parametrize("row", ENDS.values(), ids=ENDS.keys())
def test_after_it_ran(row: End) -> None:
    assert same(after(row.facts, row.policy, row.ending, 0.5), row.becomes)


def same(one: Verdict | None, other: Verdict | None) -> bool:
    """Equal, where two exceptions of one type and text are."""

    def plain(verdict: Verdict | None) -> object:
        if verdict is None or isinstance(verdict, Finish):
            return verdict
        error = verdict.error
        shown = (type(error), str(error))
        return type(verdict), {
            **{f: getattr(verdict, f) for f in verdict.__struct_fields__},
            "error": shown,
        }

    return plain(one) == plain(other)


UNKNOWN = {0: 1.0, 1: 2.0, 2: 4.0, 8: 256.0, 9: 300.0, 10: 300.0, 2**31 - 1: 300.0}


@pytest.mark.parametrize("seen", UNKNOWN)
def test_an_unknown_name_waits_longer_and_longer(seen: int) -> None:
    assert unknown(seen, limit=2**31) == UNKNOWN[seen]


@given(st.integers(0, 100), st.integers(0, 100))
def test_an_unknown_name_ends_at_the_limit(seen: int, limit: int) -> None:
    assert (unknown(seen, limit) is None) == (seen >= limit)


# what holds for all rows

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

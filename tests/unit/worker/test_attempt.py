"""What becomes of an attempt: the table, row by row, and what holds for all of its rows at once."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.context import Delete, Fail, Release, Wish
from packhorse.errors import JobTimedOut, MaxAttemptsExceeded
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

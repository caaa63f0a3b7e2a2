"""The context of an attempt: what it knows, what may be asked of it, and what it writes to the log."""

import logging

import pytest

from packhorse import JobContext
from packhorse.context import Delete, Fail, Release, detached
from packhorse.ids import new_id


def context() -> JobContext:
    return JobContext(new_id(), "shop.tidy", "low", "main", attempt=2)


def test_of_several_wishes_the_weightiest_counts() -> None:
    ctx = context()
    assert ctx.wish is None
    ctx.delete()
    assert ctx.wish == Delete()
    ctx.release(5)
    assert ctx.wish == Release(5.0)
    ctx.delete()
    assert ctx.wish == Release(5.0)
    ctx.fail("enough")
    ctx.release()
    ctx.delete()
    assert ctx.wish == Fail("enough")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("enough", "enough"),
        (ValueError("no"), "no"),
        (ValueError(), "ValueError"),
        (5, "5"),
    ],
)
def test_what_may_be_given_as_a_reason(given: str | BaseException, reason: str) -> None:
    ctx = context()
    ctx.fail(given)
    assert isinstance(ctx.wish, Fail)
    assert ctx.wish.reason == reason
    assert ctx.wish.error is (given if isinstance(given, BaseException) else None)


def test_without_a_reason_there_is_one() -> None:
    ctx = context()
    ctx.fail()
    assert ctx.wish == Fail("failed by the job")


@pytest.mark.parametrize("delay", ["soon", None])
def test_a_delay_that_is_none_fails_the_attempt(delay: float) -> None:
    with pytest.raises((TypeError, ValueError)):
        context().release(delay)


def test_the_log_knows_the_job(caplog: pytest.LogCaptureFixture) -> None:
    ctx = context()
    with caplog.at_level(logging.INFO, "packhorse.job"):
        ctx.log.info("took %d s", 5, extra={"step": 3, "queue": "another"})
    (record,) = caplog.records
    assert record.getMessage() == "took 5 s"
    facts = ("job", "id", "queue", "attempt")
    assert [getattr(record, name) for name in facts] == ["shop.tidy", str(ctx.id), "low", 2]
    assert getattr(record, "step") == 3  # noqa: B009


def test_a_detached_one_belongs_to_no_queue() -> None:
    ctx = detached("shop.tidy")
    assert (ctx.job, ctx.queue, ctx.connection, ctx.attempt) == ("shop.tidy", "", "", 1)
    assert not ctx.cancelled

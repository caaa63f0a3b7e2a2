"""The built-in middleware as plain generators: what they ask, and what becomes of the answers."""

from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import Struct

from packhorse.context import Delete, Fail, JobContext, Release
from packhorse.ids import new_id
from packhorse.middleware import (
    FailOnException,
    RateLimited,
    ReleaseWhen,
    Skip,
    SkipIfBatchCancelled,
    ThrottlesExceptions,
    Update,
    WithoutOverlapping,
    per_day,
    per_second,
)
from packhorse.middleware.throttles_exceptions import retry_after
from packhorse.store.contract import Delete as DeleteKey
from packhorse.store.update import Hold


class Arguments(Struct):
    user: int = 7


NOW = 1_700_000_000.0


def context(job: str = "mail", **more: Any) -> JobContext:
    return JobContext(new_id(), job, "q", "main", payload=Arguments(), **more)


class Shop:
    """A store of a few keys that carries updates out, and keeps what was asked."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def perform(self, update: Update) -> object:
        change = update.change([self.kept.get(key) for key in update.keys])
        for write in change.writes:
            if isinstance(write, DeleteKey):
                self.kept.pop(write.key, None)
            else:
                self.kept[write.key] = write.value
        return change.answer


def through(
    middleware: Callable[[JobContext], Generator[Any, Any, Any]],
    shop: Shop,
    ctx: JobContext,
    handler: Callable[[], object] = lambda: None,
    starts: bool = True,
) -> bool:
    """Leads a job through; whether its handler ran."""
    steps = middleware(ctx)
    try:
        asked = next(steps)
        while asked is not None:
            asked = steps.send(shop.perform(asked))
    except StopIteration:
        return False
    try:
        try:
            ctx.ran = starts
            result = handler() if starts else None
        except Exception as error:
            asked = steps.throw(error)
        else:
            asked = steps.send(result)
        while True:
            shop.perform(asked)
            asked = next(steps)
    except StopIteration:
        return starts


class Down(Exception):
    pass


def breaks() -> None:
    raise Down("no answer")


def test_a_limit_lets_one_through_and_puts_the_next_back() -> None:
    shop, limited = Shop(), RateLimited(per_second(1))
    assert through(limited, shop, context())
    late = context()
    assert not through(limited, shop, late)
    assert isinstance(late.wish, Release)
    assert late.wish.delay == pytest.approx(1.0, abs=0.1)
    assert late.wish.why == "rate:mail is at its limit"
    assert through(limited, shop, context("other")), "it is about one job"


def test_whom_a_limit_is_about() -> None:
    shop = Shop()
    by_user = RateLimited(per_day(1), by=lambda ctx: ctx.arguments["user"])
    assert through(by_user, shop, context())
    assert not through(by_user, shop, context())
    assert through(by_user, shop, JobContext(new_id(), "mail", "q", "main", payload=Arguments(8)))
    shared = RateLimited(per_day(1), by="service", shared=True)
    assert through(shared, shop, context("one"))
    assert not through(shared, shop, context("two"))
    with pytest.raises(ValueError, match="shared=True needs a key"):
        RateLimited(per_day(1), shared=True)
    with pytest.raises(ValueError, match="two limits for the same period"):
        RateLimited(per_day(1), per_day(2))


def test_a_dropped_job_takes_no_place_in_the_line() -> None:
    shop, limited = Shop(), RateLimited(per_second(1), drop=True)
    assert through(limited, shop, context())
    kept, late = dict(shop.kept), context()
    assert not through(limited, shop, late)
    assert late.wish == Delete("rate:mail is at its limit")
    assert shop.kept == kept


def test_a_limit_gets_back_what_was_not_used() -> None:
    shop, limited = Shop(), RateLimited(per_second(1), per_day(1))
    assert not through(limited, shop, context(), starts=False)
    assert through(limited, shop, context())
    assert not through(limited, shop, context())


def test_no_limit_at_all() -> None:
    assert through(RateLimited(), Shop(), context())


def test_keys_that_are_too_long_or_sealed_are_hashed() -> None:
    (long,) = next(RateLimited(per_day(1), by="x" * 300)(context())).keys  # type: ignore[union-attr]
    assert len(long) < 80
    sealed = context()
    sealed.masks = (lambda text: f"<{len(text)}>",)
    (key,) = next(RateLimited(per_day(1), by="secret")(sealed)).keys  # type: ignore[union-attr]
    assert key == "rate:mail:<6>:86400"


def test_a_lock_is_held_by_one_and_freed_at_its_end() -> None:
    shop, alone = Shop(), WithoutOverlapping("k", wait=9)
    busy = context()

    def meanwhile() -> None:
        assert not through(alone, shop, busy)

    assert through(alone, shop, context(), meanwhile)
    assert busy.wish == Release(9.0, "another job holds lock:mail:k")
    assert shop.kept == {}

    with pytest.raises(Down):
        through(alone, shop, context(), breaks)
    assert shop.kept == {}


def test_a_lock_goes_over_to_the_next_delivery_and_never_back() -> None:
    alone, shop = WithoutOverlapping(), Shop()
    first = context()
    second = JobContext(first.id, "mail", "q", "main", deliveries=2)
    (taken,) = [shop.perform(next(alone(first)))]  # type: ignore[arg-type]
    assert taken
    assert shop.perform(next(alone(second))), "its own next delivery takes over"  # type: ignore[arg-type]
    assert not shop.perform(next(alone(first))), "what lost its lease does not take it back"  # type: ignore[arg-type]
    assert not shop.perform(next(alone(context(deliveries=9))))  # type: ignore[arg-type]


def test_what_lost_its_lock_does_not_free_it() -> None:
    alone, shop = WithoutOverlapping(), Shop()
    first = context()
    second = JobContext(first.id, "mail", "q", "main", deliveries=2)

    def taken_over() -> None:
        assert shop.perform(next(alone(second)))  # type: ignore[arg-type]

    assert through(alone, shop, first, taken_over)
    assert len(shop.kept) == 1


def test_so_many_at_once_have_a_place_each() -> None:
    shop, two = Shop(), WithoutOverlapping("k", at_once=2, wait=9)
    first = context()

    def third() -> None:
        late = context()
        assert not through(two, shop, late)
        assert isinstance(late.wish, Release)
        assert (late.wish.delay, late.wish.why) == (9, "2 jobs hold lock:mail:k")
        again = JobContext(first.id, "mail", "q", "main", deliveries=2)
        assert through(two, shop, again), "it takes over from its dead self"

    assert through(two, shop, first, lambda: through(two, shop, context(), third))
    assert shop.kept == {}
    with pytest.raises(ValueError, match="at_once=0; one job or more"):
        WithoutOverlapping(at_once=0)


def test_a_lock_is_held_and_not_only_put() -> None:
    update = next(WithoutOverlapping()(context()))
    assert update is not None
    (write,) = update.change([None]).writes
    assert isinstance(write, Hold)


def test_a_circuit_opens_after_so_many_exceptions_and_is_closed_by_a_success() -> None:
    shop = Shop()
    throttled = ThrottlesExceptions(2, within=60, on=Down, pause=30, wait=4)

    def at(moment: float) -> JobContext:
        ctx = context(reserved_at=NOW + moment)
        return ctx

    for moment in (0, 1):
        ctx = at(moment)
        through(throttled, shop, ctx, breaks)
        assert ctx.wish == Release(4.0, "Down was raised")
    held = at(10)
    assert not through(throttled, shop, held)
    assert isinstance(held.wish, Release)
    assert held.wish.delay == pytest.approx(21, abs=0.1)
    assert held.wish.why == "circuit:mail is open"
    tries, others = at(32), at(32)
    trying = throttled(tries)
    assert next(trying) is not None
    assert shop.perform(next(throttled(tries))) == (0.0, True)  # type: ignore[arg-type]
    assert not through(throttled, shop, others), "one tries, the others wait for it"
    assert isinstance(others.wish, Release)
    assert 0 < others.wish.delay <= 5
    assert through(throttled, shop, at(38))
    assert shop.kept == {}


def test_a_failed_trial_opens_it_again() -> None:
    shop, throttled = Shop(), ThrottlesExceptions(1, within=60, pause=30)
    through(throttled, shop, context(reserved_at=NOW), breaks)
    through(throttled, shop, context(reserved_at=NOW + 31), breaks)
    held = context(reserved_at=NOW + 32)
    assert not through(throttled, shop, held)
    assert isinstance(held.wish, Release)
    assert held.wish.delay == pytest.approx(29, abs=0.1)


def test_a_success_that_began_before_it_opened_does_not_close_it() -> None:
    shop, throttled = Shop(), ThrottlesExceptions(2, within=60, pause=30)

    def others_break() -> None:
        through(throttled, shop, context(reserved_at=NOW + 2), breaks)

    through(throttled, shop, context(reserved_at=NOW), breaks)
    assert through(throttled, shop, context(reserved_at=NOW + 1), others_break)
    assert not through(throttled, shop, context(reserved_at=NOW + 3))


def test_exceptions_far_apart_do_not_add_up() -> None:
    shop, throttled = Shop(), ThrottlesExceptions(2, within=10)
    for moment in (0, 11, 22):
        through(throttled, shop, context(reserved_at=NOW + moment), breaks)
    assert through(throttled, shop, context(reserved_at=NOW + 23))


def test_other_exceptions_are_failures_as_always() -> None:
    shop, throttled = Shop(), ThrottlesExceptions(1, within=10, on=Down)
    ctx = context()

    def fails() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        through(throttled, shop, ctx, fails)
    assert (ctx.wish, shop.kept) == (None, {})


def test_an_exception_may_say_for_how_long() -> None:
    class Busy(Exception):
        retry_after = 90

    def busy() -> None:
        raise Busy

    shop, throttled = Shop(), ThrottlesExceptions(100, within=10)
    asked, held = context(reserved_at=NOW), context(reserved_at=NOW + 1)
    through(throttled, shop, asked, busy)
    assert asked.wish == Release(90.0, "Busy was raised")
    assert not through(throttled, shop, held)
    assert isinstance(held.wish, Release)
    assert held.wish.delay == pytest.approx(89, abs=0.1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(5, 5.0), (2.5, 2.5), (-3, 0.0), (timedelta(minutes=1), 60.0), (None, None), ("5", None)],
)
def test_how_an_exception_may_say_it(said: object, seconds: float | None) -> None:
    error = Exception()
    error.retry_after = said  # type: ignore[attr-defined]
    assert retry_after(error) == seconds


def test_an_exception_may_name_a_moment() -> None:
    error = Exception()
    error.retry_after = datetime.now() + timedelta(seconds=30)  # type: ignore[attr-defined]
    assert retry_after(error) == pytest.approx(30, abs=1)


@pytest.mark.parametrize(
    ("middleware", "ran", "wish"),
    [
        (Skip(when=True), False, Delete("a condition of its middleware")),
        (Skip(lambda ctx: ctx.attempt == 2), True, None),
        (Skip(unless=True), True, None),
        (Skip(unless=lambda ctx: ctx.tags), False, Delete("a condition of its middleware")),
        (ReleaseWhen(True, delay=3), False, Release(3.0, "a condition of its middleware")),
        (ReleaseWhen(lambda ctx: False), True, None),
        (ReleaseWhen(unless=True), True, None),
        (SkipIfBatchCancelled(), True, None),
    ],
)
def test_conditions(middleware: Any, ran: bool, wish: object) -> None:
    ctx = context()
    assert through(middleware, Shop(), ctx) is ran
    assert ctx.wish == wish


@pytest.mark.parametrize("what", [Skip, ReleaseWhen])
def test_a_condition_is_said_one_way(what: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="either when=… or unless=…"):
        what()
    with pytest.raises(ValueError, match="either when=… or unless=…"):
        what(True, unless=False)


@pytest.mark.parametrize(
    ("which", "fails"),
    [
        ((Down,), True),
        ((ValueError, Exception), True),
        ((ValueError,), False),
        ((lambda error: "answer" in str(error),), True),
        ((lambda error: False,), False),
    ],
)
def test_exceptions_that_fail_a_job_for_good(which: Sequence[Any], fails: bool) -> None:
    ctx = context()
    with pytest.raises(Down):
        through(FailOnException(*which), Shop(), ctx, breaks)
    assert isinstance(ctx.wish, Fail) is fails
    with pytest.raises(ValueError, match="say which"):
        FailOnException()

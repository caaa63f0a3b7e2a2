"""Generators round a handler: in from the outside, out from the inside, and each sees how it ended."""

from collections.abc import Callable, Generator

import pytest

from packhorse.middleware.compose import Onion
from packhorse.middleware.guard import guard
from packhorse.store.update import Change, Update

Middleware = Callable[[list[str]], Generator[None, object, None]]


def through(
    middleware: list[Middleware], handler: Callable[[], object]
) -> tuple[list[str], object, BaseException | None]:
    """What was noted, the handler's result if it ran, and the error that was left."""
    log: list[str] = []
    onion = Onion[list[str]]()
    result: object = "not run"
    error: BaseException | None = None
    try:
        if onion.enter(middleware, log):
            result = handler()
    except BaseException as raised:
        error = raised
    return log, result, onion.leave(result, error)


def noting(name: str) -> Middleware:
    def around(log: list[str]) -> Generator[None, object, None]:
        log.append(f"{name} before")
        try:
            result = yield
        except BaseException as error:
            log.append(f"{name} saw {type(error).__name__}")
            raise
        log.append(f"{name} got {result}")

    return around


def skipping(log: list[str]) -> Generator[None, object, None]:
    log.append("skipping")
    return
    yield


def swallowing(log: list[str]) -> Generator[None, object, None]:
    try:
        yield
    except ValueError as error:
        log.append(f"swallowed {error}")


def replacing(log: list[str]) -> Generator[None, object, None]:
    try:
        yield
    except ValueError as error:
        raise KeyError("instead") from error


def failing_before(log: list[str]) -> Generator[None, object, None]:
    raise OSError("before")
    yield


def failing_after(log: list[str]) -> Generator[None, object, None]:
    yield
    raise OSError("after")


def clinging_to_life(log: list[str]) -> Generator[None, object, None]:
    yield
    try:
        yield
    except GeneratorExit:
        log.append("clings")
        yield


def fine() -> object:
    return 42


def broken() -> object:
    raise ValueError("no")


def test_order_and_result() -> None:
    log, result, error = through([noting("a"), noting("b")], fine)
    assert log == ["a before", "b before", "b got 42", "a got 42"]
    assert (result, error) == (42, None)


def test_none_at_all() -> None:
    assert through([], fine) == ([], 42, None)


def test_an_exception_is_thrown_in_at_the_yield() -> None:
    log, _, error = through([noting("a"), noting("b")], broken)
    assert log == ["a before", "b before", "b saw ValueError", "a saw ValueError"]
    assert isinstance(error, ValueError)


def test_returning_before_the_yield_skips_what_is_inside() -> None:
    log, result, error = through([noting("a"), skipping, noting("b")], fine)
    assert log == ["a before", "skipping", "a got not run"]
    assert (result, error) == ("not run", None)


def test_a_swallowed_exception_is_dealt_with() -> None:
    log, _, error = through([noting("a"), swallowing, noting("b")], broken)
    assert log == ["a before", "b before", "b saw ValueError", "swallowed no", "a got not run"]
    assert error is None


def test_an_exception_may_be_replaced() -> None:
    log, _, error = through([noting("a"), replacing], broken)
    assert log == ["a before", "a saw KeyError"]
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, ValueError)


def test_one_that_fails_before_its_yield_is_seen_by_those_outside() -> None:
    log, result, error = through([noting("a"), failing_before, noting("b")], fine)
    assert log == ["a before", "a saw OSError"]
    assert result == "not run"
    assert str(error) == "before"


def test_one_that_fails_after_its_yield_fails_the_attempt() -> None:
    log, _, error = through([noting("a"), failing_after], fine)
    assert log == ["a before", "a saw OSError"]
    assert str(error) == "after"


@pytest.mark.parametrize("handler", [fine, broken])
def test_yielding_twice_is_an_error(handler: Callable[[], object]) -> None:
    def clinging(log: list[str]) -> Generator[None, object, None]:
        try:
            yield
        except ValueError:
            yield
        else:
            yield

    log, _, error = through([noting("a"), clinging], handler)
    assert log == ["a before", "a saw TypeError"]
    assert isinstance(error, TypeError)
    assert "yielded twice; it must yield once" in str(error)
    assert (error.__cause__ is not None) == (handler is broken)


def test_one_that_never_ends_harms_no_other() -> None:
    log, _, error = through([noting("a"), clinging_to_life], fine)
    assert log == ["a before", "clings", "a saw TypeError"]
    assert "yielded twice" in str(error)


def test_yielding_something_is_an_error() -> None:
    def asking(log: list[str]) -> Generator[object, object, None]:
        yield "a lock"

    log, result, error = through([noting("a"), asking], fine)  # type: ignore[list-item]
    assert log == ["a before", "a saw TypeError"]
    assert result == "not run"
    assert "asking" in str(error)
    assert "yielded 'a lock'; a plain yield is expected" in str(error)


def test_what_has_no_yield_is_named() -> None:
    def plain(log: list[str]) -> None: ...

    _, result, error = through([noting("a"), plain], fine)  # type: ignore[list-item]
    assert result == "not run"
    assert isinstance(error, TypeError)
    assert "plain" in str(error)
    assert "is no generator function: it has no yield" in str(error)


def test_a_stop_iteration_of_the_handler_is_an_error_like_any() -> None:
    def stopping() -> object:
        raise StopIteration

    _, _, error = through([noting("a"), noting("b")], stopping)
    assert isinstance(error, RuntimeError)
    assert isinstance(error.__cause__, StopIteration)


def test_an_end_of_the_process_goes_through() -> None:
    def leaving() -> object:
        raise SystemExit(3)

    log, _, error = through([noting("a"), swallowing], leaving)
    assert log == ["a before", "a saw SystemExit"]
    assert isinstance(error, SystemExit)


def test_one_that_is_dropped_lets_its_generators_end_in_peace(
    recwarn: pytest.WarningsRecorder,
) -> None:
    """A worker that is killed leaves some behind: closed, they could not even ask."""
    log: list[str] = []

    @guard
    def asking(log: list[str]) -> Generator[Update | None, object, None]:
        try:
            yield None
        finally:
            yield Update(("key",), lambda values: Change())
            log.append("ended")

    onion = Onion[list[str]]()
    assert onion.enter([asking], log)
    del onion
    assert log == ["ended"]
    assert [str(warning.message) for warning in recwarn] == []

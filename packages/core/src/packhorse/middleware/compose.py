"""Running generator functions round a handler; the same steps for `def` and `async def` jobs.

A middleware runs up to its `yield`, the handler runs, and the rest of the middleware follows with
the handler's result as the value of `yield`, or with its exception thrown in there.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Onion(Generic[T]):
    """Generators round one thing that is done, entered from the outside in and left inside out."""

    def __init__(self) -> None:
        self._entered: list[Generator[object, object, object]] = []

    def enter(self, middleware: Sequence[Callable[[T], Iterator[object]]], subject: T) -> bool:
        """Runs each up to its `yield`; False if one returned before, so that the handler is skipped."""
        for around in middleware:
            generator = cast("Generator[object, object, object]", around(subject))
            if not hasattr(generator, "throw"):
                raise TypeError(f"middleware {around!r} is no generator function: it has no yield")
            try:
                asked = next(generator)
            except StopIteration:
                return False
            self._entered.append(generator)
            if asked is not None:
                raise TypeError(
                    f"middleware {around!r} yielded {asked!r}; a plain yield is expected"
                )
        return True

    def leave(self, result: object, error: BaseException | None) -> BaseException | None:
        """Runs the rest of each with the result or the error; gives the error that is left."""
        while self._entered:
            generator = self._entered.pop()
            try:
                if error is None:
                    generator.send(result)
                else:
                    generator.throw(error)
            except StopIteration:
                error = None  # it ended without raising: what it caught is dealt with
            except BaseException as raised:
                error = raised
            else:
                twice = TypeError(f"middleware {generator!r} yielded twice; it must yield once")
                twice.__cause__ = error
                error = twice
                with suppress(BaseException):  # it may even refuse to end
                    generator.close()
        return error

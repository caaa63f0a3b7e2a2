"""Running generator functions round a handler; the same steps for `def` and `async def` jobs.

A middleware runs up to its `yield`, the handler runs, and the rest of the middleware follows with
the handler's result as the value of `yield`, or with its exception thrown in there. A guard yields
requests besides: those before the plain `yield` are answered, those after it only collected.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar, cast

from packhorse.middleware.guard import is_guard
from packhorse.store.update import Update

T = TypeVar("T")


class Onion(Generic[T]):
    """Generators round one thing that is done, entered from the outside in and left inside out.

    `asked` are the requests of those that were left.
    """

    __slots__ = ("_entered", "asked")

    def __init__(self) -> None:
        self._entered: list[Generator[object, object, object]] = []
        self.asked: tuple[Update, ...] = ()

    def __del__(self) -> None:
        # Whoever dropped it writes nothing any more; closed here and now, a generator could not yield.
        if self._entered:
            self.leave(None, None)

    def enter(self, middleware: Sequence[Callable[[T], Iterator[object]]], subject: T) -> bool:
        """Runs each up to its `yield`; False if one returned before, so that the handler is skipped."""
        if not middleware:
            return True
        try:
            asked = next(self.ask(middleware, subject))
        except StopIteration as end:
            return bool(end.value)
        raise TypeError(f"{asked!r} was yielded where nobody can ask the store")

    def ask(
        self, middleware: Sequence[Callable[[T], Iterator[object]]], subject: T
    ) -> Generator[Update, object, bool]:
        """Does as `enter`, yields what guards ask, and is sent the answers, or thrown what went wrong."""
        for around in middleware:
            generator = cast("Generator[object, object, object]", around(subject))
            if not hasattr(generator, "throw"):
                raise TypeError(f"middleware {around!r} is no generator function: it has no yield")
            try:
                asked = next(generator)
                while asked is not None:
                    update = _checked(around, asked)
                    try:
                        answer = yield update
                    except BaseException as error:
                        asked = generator.throw(error)
                    else:
                        asked = generator.send(answer)
            except StopIteration:
                return False
            self._entered.append(generator)
        return True

    def leave(self, result: object, error: BaseException | None) -> BaseException | None:
        """Runs the rest of each with the result or the error; gives the error that is left."""
        while self._entered:
            generator = self._entered.pop()
            try:
                asked = generator.send(result) if error is None else generator.throw(error)
                while isinstance(asked, Update):
                    self.asked += (asked,)
                    asked = next(generator)
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


def _checked(around: object, asked: object) -> Update:
    if not isinstance(asked, Update):
        raise TypeError(f"middleware {around!r} yielded {asked!r}; a plain yield is expected")
    if not is_guard(around):
        raise TypeError(
            f"middleware {around!r} asks the store: mark it with @guard, so that it can"
        )
    return asked

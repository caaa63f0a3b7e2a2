"""`Skip`, `ReleaseWhen` and `FailOnException`: what becomes of a job by a condition."""

from collections.abc import Callable, Generator

from packhorse.context import JobContext

Condition = bool | Callable[[JobContext], object]
"""Yes or no, or a function that tells it from the job's context."""


class Skip:
    """Skips the handler `when` a condition holds, or `unless` it does; the job counts as done."""

    def __init__(self, when: Condition | None = None, *, unless: Condition | None = None) -> None:
        self._holds = _one("Skip", when, unless)

    def __call__(self, ctx: JobContext) -> Generator[None, object, None]:
        if self._holds(ctx):
            ctx.delete("a condition of its middleware")
            return
        yield


class ReleaseWhen:
    """Puts the job back for `delay` seconds `when` a condition holds, or `unless` it does."""

    def __init__(
        self,
        when: Condition | None = None,
        *,
        unless: Condition | None = None,
        delay: float = 1.0,
    ) -> None:
        self._holds = _one("ReleaseWhen", when, unless)
        self._delay = delay

    def __call__(self, ctx: JobContext) -> Generator[None, object, None]:
        if self._holds(ctx):
            ctx.release(self._delay, "a condition of its middleware")
            return
        yield


class FailOnException:
    """Fails the job for good, whatever its tries, for exceptions of these types, or that a function
    says yes to."""

    def __init__(self, *which: type[Exception] | Callable[[Exception], object]) -> None:
        if not which:
            raise ValueError("FailOnException: say which exceptions are meant")
        self._which = which

    def __call__(self, ctx: JobContext) -> Generator[None, object, None]:
        try:
            yield
        except Exception as error:
            if any(matches(one, error) for one in self._which):
                ctx.fail(error)
            raise


def matches(which: type[Exception] | Callable[[Exception], object], error: Exception) -> bool:
    """Whether an exception is of a type, or is one that a function says yes to."""
    return isinstance(error, which) if isinstance(which, type) else bool(which(error))


def _one(
    what: str, when: Condition | None, unless: Condition | None
) -> Callable[[JobContext], bool]:
    if (when is None) == (unless is None):
        raise ValueError(f"{what}: give either when=… or unless=…")
    condition, wanted = (when, True) if unless is None else (unless, False)

    def holds(ctx: JobContext) -> bool:
        return bool(condition(ctx) if callable(condition) else condition) is wanted

    return holds

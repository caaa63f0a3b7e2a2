"""`RateLimited`: so many starts a second, minute, hour or day, whichever worker makes them."""

from collections.abc import Generator, Sequence
from functools import partial

from packhorse.context import JobContext
from packhorse.middleware import gcra
from packhorse.middleware.gcra import SECOND, Limit, State
from packhorse.middleware.guard import guard
from packhorse.middleware.scope import By, check, scope
from packhorse.store.contract import Put
from packhorse.store.update import Change, Update

_MILLISECOND = SECOND // 1_000
_SLACK = 10.0
"""Seconds for which a state is kept after it has lost its meaning: clocks differ."""


@guard
class RateLimited:
    """Lets jobs start within all of some limits; the others are put back, or dropped with `drop`.

    A job that has to wait comes back when it fits in, each at a moment of its own, and loses no
    attempt. Limits count for this job alone and by its `by`; with `shared`, for all jobs that give
    the same `by`. `store` is the connection whose store counts; None: the job's own.
    """

    def __init__(
        self,
        *limits: Limit,
        by: By = None,
        shared: bool = False,
        drop: bool = False,
        store: str | None = None,
    ) -> None:
        check("RateLimited", by, shared)
        periods = [limit.period for limit in limits]
        if len(set(periods)) < len(periods):
            raise ValueError(f"RateLimited: two limits for the same period: {limits}")
        self._paces = [limit.pace for limit in limits]
        self._endings = [f":{period:g}" for period in periods]
        self._by = by
        self._shared = shared
        self._drop = drop
        self._store = store

    def __call__(self, ctx: JobContext) -> Generator[Update | None, object, None]:
        if not self._paces:
            yield None
            return
        name = scope("rate", ctx, self._by, self._shared)
        keys = tuple(map(name.__add__, self._endings))
        now = int(ctx.now() * SECOND)
        wait = yield Update(keys, partial(self._take, keys, now), self._store)
        assert isinstance(wait, int)
        if wait:
            why = f"{name} is at its limit"
            if self._drop:
                ctx.delete(why)
            else:
                # In whole milliseconds, and a little late: what comes early is sent away again.
                ctx.release((wait // _MILLISECOND + 1) / 1_000, why)
            return
        try:
            yield None
        finally:
            if not ctx.ran:
                yield Update(keys, partial(self._give_back, keys, now), self._store)

    def _take(self, keys: Sequence[str], now: int, values: Sequence[bytes | None]) -> Change:
        states = [State.read(value) for value in values]
        after, wait = gcra.take(self._paces, states, now)
        if wait and self._drop:
            return Change(answer=wait)
        return Change(_written(keys, values, after, now), wait)

    def _give_back(self, keys: Sequence[str], now: int, values: Sequence[bytes | None]) -> Change:
        after = [
            State() if value is None else gcra.give_back(pace, State.read(value))
            for pace, value in zip(self._paces, values, strict=True)
        ]
        return Change(_written(keys, values, after, now))


def _written(
    keys: Sequence[str], before: Sequence[bytes | None], after: Sequence[State], now: int
) -> list[Put]:
    puts = []
    for key, old, state in zip(keys, before, after, strict=True):
        value = state.packed()
        if value != old and (old is not None or state != State()):
            left = (max(state.due, state.promised) - now) / SECOND
            puts.append(Put(key, value, max(left, 0.0) + _SLACK))
    return puts

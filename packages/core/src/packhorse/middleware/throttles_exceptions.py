"""`ThrottlesExceptions`: while a service is broken, the jobs that need it wait, in every worker."""

import time
from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec
from msgspec import Struct

from packhorse.context import JobContext
from packhorse.middleware.conditions import matches
from packhorse.middleware.guard import guard
from packhorse.middleware.scope import By, check, scope
from packhorse.store.contract import Delete, Put
from packhorse.store.update import Change, Update

PROBE = 5.0
"""Seconds for which the others wait while one job tries whether the service is back, at most."""


class Circuit(Struct, frozen=True, array_like=True):
    """`count` exceptions since `since`; open until `until`, and then tried by one job at a time.

    Moments are in seconds since 1970. 0.0 as `until`: closed.
    """

    count: int = 0
    since: float = 0.0
    until: float = 0.0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Circuit).decode


@guard
class ThrottlesExceptions:
    """Keeps jobs from starting once `limit` exceptions have come within `within` seconds.

    The circuit is open for `pause` seconds (None: `within`), or for as long as an exception's own
    `retry_after` says; then one job tries, and a success closes it. A job that ran into one of the
    exceptions `on` comes back after `wait` seconds, and loses no attempt: give it a `retry_until`, for
    nothing else ends it. Other exceptions are failures as always. The circuit is of this job and
    `by`, or `shared` by all that give the same; `store` is the connection whose store keeps it.
    """

    def __init__(
        self,
        limit: int,
        within: float,
        *,
        on: type[Exception] | Callable[[Exception], object] = Exception,
        pause: float | None = None,
        wait: float = 5.0,
        by: By = None,
        shared: bool = False,
        store: str | None = None,
    ) -> None:
        check("ThrottlesExceptions", by, shared)
        if limit < 1 or within <= 0:
            raise ValueError(
                f"ThrottlesExceptions({limit}, {within}): one exception or more, in > 0 s"
            )
        self._limit = limit
        self._within = within
        self._on = on
        self._pause = within if pause is None else pause
        self._probe = min(self._pause, PROBE)
        self._wait = wait
        self._by = by
        self._shared = shared
        self._store = store

    def __call__(self, ctx: JobContext) -> Generator[Update | None, object, None]:
        key = scope("circuit", ctx, self._by, self._shared)
        now = ctx.now()
        found = yield Update((key,), partial(self._look, key, now), self._store)
        assert isinstance(found, tuple)
        wait, touched = found
        if wait:
            ctx.release(wait, f"{key} is open")
            return
        try:
            yield None
        except Exception as error:
            if not ctx.ran or not matches(self._on, error):
                raise
            failed_at, asked = ctx.now(), retry_after(error)
            told = None if ctx.masks else error
            ctx.log.warning("put back: %s was raised", type(error).__name__, exc_info=told)
            ctx.release(
                self._wait if asked is None else asked, f"{type(error).__name__} was raised"
            )
            yield Update((key,), partial(self._count, key, failed_at, asked), self._store)
        else:
            if touched and ctx.ran:
                yield Update((key,), partial(self._close, key, now), self._store)

    def _look(self, key: str, now: float, values: Sequence[bytes | None]) -> Change:
        """Answers how long to wait, and whether there is anything that a success has to clear."""
        circuit = _read(values)
        if circuit is None:
            return Change(answer=(0.0, False))
        if circuit.until > now:
            return Change(answer=(circuit.until - now, True))
        if circuit.until:  # this one tries, the others wait for it
            trying = Circuit(circuit.count, circuit.since, now + self._probe)
            return Change([self._put(key, trying, now)], (0.0, True))
        return Change(answer=(0.0, True))

    def _close(self, key: str, began: float, values: Sequence[bytes | None]) -> Change:
        circuit = _read(values)
        # Opened since, it is closed by a success that began since.
        if circuit is None or circuit.until > began + self._probe:
            return Change()
        return Change([Delete(key)])

    def _count(
        self, key: str, now: float, asked: float | None, values: Sequence[bytes | None]
    ) -> Change:
        circuit = _read(values) or Circuit(since=now)
        if circuit.until == 0.0 and now - circuit.since >= self._within:
            circuit = Circuit(since=now)
        count, until = circuit.count + 1, circuit.until
        if until or count >= self._limit:
            until = max(until, now + self._pause)
        if asked is not None:
            until = max(until, now + asked)
        return Change([self._put(key, Circuit(count, circuit.since, until), now)])

    def _put(self, key: str, circuit: Circuit, now: float) -> Put:
        # Once open it stays known for as long again, so that one job tries before all others do.
        left = max(circuit.since + self._within, circuit.until + self._pause) - now
        return Put(key, _encode(circuit), max(left, 1.0))


def retry_after(error: Exception) -> float | None:
    """The seconds that an exception asks for with its `retry_after`; None if it does not."""
    asked = getattr(error, "retry_after", None)
    if isinstance(asked, timedelta):
        return max(0.0, asked.total_seconds())
    if isinstance(asked, datetime):
        return max(0.0, asked.timestamp() - time.time())
    if isinstance(asked, int | float) and not isinstance(asked, bool):
        return max(0.0, float(asked))
    return None


def _read(values: Sequence[bytes | None]) -> Circuit | None:
    (value,) = values
    return None if value is None else _decode(value)

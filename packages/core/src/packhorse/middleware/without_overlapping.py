"""`WithoutOverlapping`: of the jobs of a key one runs at a time, or so many, whichever worker runs them."""

import struct
from collections.abc import Generator, Sequence
from functools import partial

from packhorse.context import JobContext
from packhorse.middleware.guard import guard
from packhorse.middleware.scope import By, check, scope
from packhorse.store.contract import Delete
from packhorse.store.update import Change, Hold, Update

_OWNER = struct.Struct(">16sII")


@guard
class WithoutOverlapping:
    """Lets a job start while no other of its key runs; it waits `wait` seconds, or is dropped.

    With `at_once` so many of a key may run at a time, each in a place of its own; keep it small, since
    every start looks at all places.
    A key is about this job alone, or `shared` by all that give the same. The lock belongs to one
    delivery of one message: it is renewed with the lease, freed when the job ends, however it does,
    and taken over by the message's next delivery, so a crash holds it for a lease at most. `store` is
    the connection whose store keeps it; None: the job's own.
    """

    def __init__(
        self,
        key: By = None,
        *,
        at_once: int = 1,
        wait: float = 1.0,
        drop: bool = False,
        shared: bool = False,
        store: str | None = None,
    ) -> None:
        check("WithoutOverlapping", key, shared)
        if at_once < 1:
            raise ValueError(f"WithoutOverlapping: at_once={at_once}; one job or more")
        self._key = key
        self._at_once = at_once
        self._wait = wait
        self._drop = drop
        self._shared = shared
        self._store = store

    def __call__(self, ctx: JobContext) -> Generator[Update | None, object, None]:
        key = scope("lock", ctx, self._key, self._shared)
        places = (key, *(f"{key}:{number}" for number in range(2, self._at_once + 1)))
        owner = _OWNER.pack(ctx.id.bytes, ctx.attempt, ctx.deliveries)
        place = yield Update(places, partial(_take, places, owner), self._store)
        if place is None:
            why = (
                f"another job holds {key}" if len(places) == 1 else f"{len(places)} jobs hold {key}"
            )
            if self._drop:
                ctx.delete(why)
            else:
                ctx.release(self._wait, why)
            return
        assert isinstance(place, str)
        try:
            yield None
        finally:
            yield Update((place,), partial(_free, place, owner), self._store)


def _take(places: Sequence[str], owner: bytes, values: Sequence[bytes | None]) -> Change:
    """Takes the place of an earlier delivery, which is dead or has lost its lease, or a free one."""
    mine = [number for number, held in enumerate(values) if held and held[:16] == owner[:16]]
    free = [number for number, held in enumerate(values) if held is None]
    for number in mine or free:
        if (values[number] or b"") <= owner:
            return Change([Hold(places[number], owner)], places[number])
    return Change()


def _free(place: str, owner: bytes, values: Sequence[bytes | None]) -> Change:
    return Change([Delete(place)] if values[0] == owner else ())

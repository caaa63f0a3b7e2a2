"""`WithoutOverlapping`: at most one job of a key runs at a time, whichever worker runs it."""

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

    A key is about this job alone, or `shared` by all that give the same. The lock belongs to one
    delivery of one message: it is renewed with the lease, freed when the job ends, however it does,
    and taken over by the message's next delivery, so a crash holds it for a lease at most. `store` is
    the connection whose store keeps it; None: the job's own.
    """

    def __init__(
        self,
        key: By = None,
        *,
        wait: float = 1.0,
        drop: bool = False,
        shared: bool = False,
        store: str | None = None,
    ) -> None:
        check("WithoutOverlapping", key, shared)
        self._key = key
        self._wait = wait
        self._drop = drop
        self._shared = shared
        self._store = store

    def __call__(self, ctx: JobContext) -> Generator[Update | None, object, None]:
        key = scope("lock", ctx, self._key, self._shared)
        owner = _OWNER.pack(ctx.id.bytes, ctx.attempt, ctx.deliveries)
        taken = yield Update((key,), partial(_take, key, owner), self._store)
        if not taken:
            why = f"another job holds {key}"
            if self._drop:
                ctx.delete(why)
            else:
                ctx.release(self._wait, why)
            return
        try:
            yield None
        finally:
            yield Update((key,), partial(_free, key, owner), self._store)


def _take(key: str, owner: bytes, values: Sequence[bytes | None]) -> Change:
    (held,) = values
    # The same message holds it: an earlier delivery, which is dead or has lost its lease.
    if held is None or (held[:16] == owner[:16] and held <= owner):
        return Change([Hold(key, owner)], True)
    return Change(answer=False)


def _free(key: str, owner: bytes, values: Sequence[bytes | None]) -> Change:
    return Change([Delete(key)] if values[0] == owner else ())

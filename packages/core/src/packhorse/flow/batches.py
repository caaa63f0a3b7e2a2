"""Batches that were dispatched: looked at, added to, cancelled, retried and forgotten."""

import builtins
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.errors import StoreRequired
from packhorse.flow import ledger
from packhorse.flow.numbers import Numbers
from packhorse.flow.tally import Tally

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.flow.batch import Members
    from packhorse.flow.numbers import BatchState


PAGE = 100
"""Batches that are looked up in one round trip."""


class Batch:
    """One batch, as its store knows it; `refresh` looks again. May be used from any thread.

    A chain counts as one member. `dropped` are members that will never run: cancelled, expired, or
    behind a failure that cancelled the batch.
    """

    def __init__(self, tally: Tally, id: UUID, name: str, created_at: float) -> None:
        self._tally = tally
        self.id = id
        self.name = name
        self.created_at = created_at
        self._numbers: Numbers | None = None

    def refresh(self) -> "Batch":
        """Looks into the store, and gives itself; raises `ConnectionLost`."""
        self._numbers = self._tally.numbers([self.id])[0]
        return self

    @property
    def numbers(self) -> Numbers:
        """All numbers of one look."""
        if self._numbers is None:
            self.refresh()
        assert self._numbers is not None
        return self._numbers

    @property
    def total(self) -> int:
        return self.numbers.total

    @property
    def pending(self) -> int:
        """Members that have not ended."""
        return self.numbers.pending

    @property
    def failed(self) -> int:
        """Members that failed for good."""
        return self.numbers.failed

    @property
    def dropped(self) -> int:
        """Members that will never run."""
        return self.numbers.dropped

    @property
    def done(self) -> int:
        """Members that are done."""
        numbers = self.numbers
        return numbers.total - numbers.pending - numbers.failed - numbers.dropped

    @property
    def progress(self) -> float:
        """How much of it has ended, from 0 to 1."""
        return 1.0 - self.pending / self.total if self.total else 1.0

    @property
    def state(self) -> "BatchState":
        return self.numbers.state

    @property
    def finished(self) -> bool:
        """Whether every member has ended."""
        return self.numbers.finished_at is not None

    @property
    def finished_at(self) -> float | None:
        """When the last member ended, in seconds since 1970."""
        return self.numbers.finished_at

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled, by hand or by a failure; it ends once what runs has ended."""
        return self.numbers.cancelled

    def cancel(self) -> bool:
        """Keeps members that wait from running; those that run go on. False if it is over already."""
        done = self._tally.cancel(self.id)
        self._numbers = None
        return done

    def add(self, jobs: "Iterable[Members]") -> int:
        """Pushes more members, and says how many; raises `PackhorseError` if the batch is over.

        Those that name no connection go to the batch's own, unless that is the default one: then
        each goes where it would go alone.
        """
        from packhorse.flow.batch import written
        from packhorse.flow.pushing import add

        tally = self._tally
        on = None if tally.connection is tally.app.connection() else tally.connection
        added = add(tally, self.id, written(jobs, tally.app, on, None))
        self._numbers = None
        return added

    def __repr__(self) -> str:
        return f"<batch {self.name or self.id}>"


class Batches:
    """`app.batches`: the batches that the stores of the app's connections know."""

    def __init__(self, app: "Packhorse") -> None:
        self._app = app
        self._tallies: dict[str, Tally] = {}

    def tally(self, connection: str) -> Tally:
        """What counts the batches in one connection's store."""
        found = self._tallies.get(connection)
        return found or self._tallies.setdefault(connection, Tally(self._app, connection))

    def find(self, id: UUID | str) -> Batch | None:
        """The batch of this id, None if no store knows it (any more)."""
        id = id if isinstance(id, UUID) else UUID(id)
        for tally in self._stores():
            (plan,) = tally.look_up([id])
            if plan is not None:
                return Batch(tally, id, plan.name, plan.created)
        return None

    def list(self, limit: int = 100) -> builtins.list[Batch]:
        """Up to `limit` batches, newest first."""
        found = [batch for tally in self._stores() for batch in self._known(tally, limit)]
        return sorted(found, key=lambda batch: batch.created_at, reverse=True)[:limit]

    def cancel(self, id: UUID | str) -> bool:
        """Cancels a batch; False if there is none, or it is over."""
        batch = self.find(id)
        return batch is not None and batch.cancel()

    def retry(self, id: UUID | str) -> int:
        """Lets the failed members of a batch run again; how many."""
        batch = self.find(id)
        if batch is None:
            return 0
        return self._app.failed.retry(batch._tally.failed_jobs(batch.id))

    def give_up(self, older_than: float) -> int:
        """Ends batches that were dispatched over so many seconds ago and still run; how many.

        What is pending counts as dropped, and does not run if it is there after all. For brokers
        that cannot be asked where a message is: a batch whose messages they lost waits for ever.
        """
        border = time.time() - older_than
        ended = 0
        for tally in self._stores():
            for batch in self._known(tally, None):
                if batch.created_at <= border and not batch.finished:
                    tally.give_up(batch.id)
                    ended += 1
        return ended

    def prune(self, older_than: float) -> int:
        """Forgets batches that ended over so many seconds ago; how many."""
        border = time.time() - older_than
        pruned = 0
        for tally in self._stores():
            for batch in self._known(tally, None):
                ended = batch.finished_at
                if ended is not None and ended <= border:
                    tally.store.apply(ledger.forgotten(batch.id))
                    pruned += 1
        return pruned

    def _stores(self) -> Iterator[Tally]:
        """One tally for each store, though several connections may share one."""
        seen: set[int] = set()
        for name in self._app.connections:
            try:
                store = self._app.connection(name).store
            except StoreRequired:
                continue
            if id(store) not in seen:
                seen.add(id(store))
                yield self.tally(name)

    def _known(self, tally: Tally, limit: int | None) -> "builtins.list[Batch]":
        """A store's batches, newest first; ids whose plan has expired are dropped on the way."""
        (value,) = tally.store.read([ledger.ALL])
        every = sorted(value, reverse=True) if isinstance(value, frozenset) else []
        found: builtins.list[Batch] = []
        while every and (limit is None or len(found) < limit):
            some, every = [UUID(bytes=one) for one in every[:PAGE]], every[PAGE:]
            for id, plan in zip(some, tally.look_up(some), strict=True):
                if plan is None:
                    tally.store.apply(ledger.forgotten(id))
                else:
                    found.append(Batch(tally, id, plan.name, plan.created))
        return found[:limit]

"""Counts members of batches, ends a batch when nothing is pending, and sends its callbacks.

Called by whoever learns that members have ended: a worker that settled them, the dispatcher, a
sweep. All of it may be repeated: members count by what names them, an end is written once, and the
ids of callbacks follow from the batch's.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from packhorse import events
from packhorse.flow import ledger
from packhorse.flow.chains import portion_key
from packhorse.flow.ledger import How
from packhorse.flow.link import read_portion
from packhorse.flow.step import callbacks, next_link, send_all, unfolded
from packhorse.store.contract import Store
from packhorse.wire.flow import Cause, Membership, Plan, Rest
from packhorse.wire.seal import open_body, open_envelope

if TYPE_CHECKING:
    from packhorse.app import Packhorse

EndState = Literal["succeeded", "finished with failures", "cancelled"]
BatchState = Literal["running"] | EndState


class Numbers(Struct, frozen=True):
    """How a batch stands: of `total` members, how many have not ended, failed, or will never run.

    `finished_at` is in seconds since 1970, None while the batch runs.
    """

    total: int
    pending: int
    failed: int
    dropped: int
    state: BatchState
    cancelled: bool
    finished_at: float | None


class Ended(Struct, frozen=True):
    """One member that has ended, as it is counted."""

    member: bytes
    how: How
    cause: Cause | None = None


class End(Struct, frozen=True):
    """How a batch ended, and when, in seconds since 1970."""

    state: EndState
    at: float


_encode = msgspec.msgpack.Encoder().encode
read_end = msgspec.msgpack.Decoder(End).decode


class Tally:
    """The batches that one connection's store counts. May be used from any thread."""

    def __init__(self, app: "Packhorse", connection: str) -> None:
        self.app = app
        self.connection = app.connection(connection)
        self._plans: dict[UUID, Plan] = {}

    @property
    def store(self) -> Store:
        return self.connection.store

    def count(self, ended: Mapping[UUID, Sequence[Ended]]) -> None:
        """Counts members that have ended, by their batches, in one round trip.

        Raises `ConnectionLost`; counting the same again is safe.
        """
        groups = [
            ledger.counted(id, [(one.member, one.how) for one in some])
            for id, some in ended.items()
        ]
        answers = self.store.apply(groups)
        for (id, some), answer in zip(ended.items(), answers, strict=True):
            plan = self.plan(id)
            if plan is None:
                continue  # forgotten meanwhile
            causes = [one.cause for one in some if one.how == "failed"]
            if causes:
                self._fail(id, plan, causes[0])
            left = None if answer is None else answer[0]
            if plan.progress and any(one.member != ledger.DISPATCHER for one in some):
                label = f"progress {left}"
                send_all(callbacks(self.app, plan.progress, id, label, batch=self._of(id)))
            if left == 0:
                self.finish(id)

    def reopen(self, of: Membership) -> None:
        """A member that failed is about to be retried: the batch waits for it again."""
        if self.plan(of.id) is not None:
            self.store.apply(ledger.reopened(of.id, of.member))

    def cancel(self, id: UUID) -> bool:
        """Keeps pending members from running; False if the batch is over or cancelled already."""
        (answer,) = self.store.apply([ledger.cancelled(id)])
        if answer is None:
            return False
        if self.app.bus.hears(events.BatchCancelled):
            plan = self.plan(id)
            name = "" if plan is None else plan.name
            self.app.bus.emit(events.BatchCancelled(id=id, name=name))
        return True

    def finish(self, id: UUID) -> None:
        """Writes a batch's end if nothing is pending, and tells it."""
        (cancelled, before) = self.store.read(
            [ledger.batch_key(id, "cancelled"), ledger.batch_key(id, "over")]
        )
        if isinstance(before, bytes):
            return self.tell(id, before)
        ((pending, failed, _),) = self._sizes([id])
        if pending:
            return None
        state: EndState = "succeeded"
        if cancelled is not None:
            state = "cancelled"
        elif failed:
            state = "finished with failures"
        end = _encode(End(state, time.time()))
        (answer,) = self.store.apply([ledger.over(id, end)])
        if answer is not None:
            self.tell(id, end)
        return None

    def tell(self, id: UUID, end: bytes) -> None:
        """Sends the callbacks of a batch that is over, those that were not sent before."""
        plan = self.plan(id)
        if plan is not None:
            state = read_end(end).state
            (value,) = self.store.read([ledger.batch_key(id, "told")])
            sent = value if isinstance(value, frozenset) else frozenset[bytes]()
            if state == "succeeded":
                self._call_back(id, "then", plan.then, sent)
            self._call_back(id, "finally", plan.finally_, sent)
            if plan.rest is not None:
                self._go_on(id, plan, plan.rest, state)
            if self.app.bus.hears(events.BatchFinished):
                self.app.bus.emit(events.BatchFinished(id=id, name=plan.name, state=state))
        self.store.apply(ledger.told(id, end))
        self._plans.pop(id, None)

    def plan(self, id: UUID) -> Plan | None:
        """What a batch is; None if the store knows none of this id."""
        found = self._plans.get(id)
        if found is None:
            (value,) = self.store.read([ledger.batch_key(id)])
            if not isinstance(value, bytes):
                return None
            known = self.app.formats.known_codecs()
            found = self._plans[id] = open_body(open_envelope(value), known, Plan)
        return found

    def numbers(self, ids: Sequence[UUID]) -> list[Numbers]:
        """How batches stand, all of them in two round trips."""
        parts = ("total", "cancelled", "over")
        values = self.store.read([ledger.batch_key(id, part) for id in ids for part in parts])
        found = []
        for place, (pending, failed, dropped) in enumerate(self._sizes(ids)):
            total, cancelled, over = values[3 * place : 3 * place + 3]
            end = read_end(over) if isinstance(over, bytes) else None
            found.append(
                Numbers(
                    total if isinstance(total, int) else 0,
                    pending,
                    failed,
                    dropped,
                    "running" if end is None else end.state,
                    cancelled is not None,
                    None if end is None else end.at,
                )
            )
        return found

    def failed_jobs(self, id: UUID) -> list[UUID]:
        """The ids of the jobs by which members of a batch failed."""
        (value,) = self.store.read([ledger.batch_key(id, "failed")])
        members = sorted(value) if isinstance(value, frozenset) else []
        return [id for member in members for id in ledger.job_ids(member)]

    def _sizes(self, ids: Iterable[UUID]) -> list[tuple[int, int, int]]:
        answers = self.store.apply([ledger.sizes(id) for id in ids])
        return [(a[0] or 0, a[1] or 0, a[2] or 0) if a else (0, 0, 0) for a in answers]

    def _fail(self, id: UUID, plan: Plan, cause: Cause | None) -> None:
        if not plan.allow_failures:
            self.cancel(id)
        (value,) = self.store.read([ledger.batch_key(id, "told")])
        sent = value if isinstance(value, frozenset) else frozenset[bytes]()
        self._call_back(id, "catch", plan.catch, sent, cause)

    def _call_back(
        self,
        id: UUID,
        label: str,
        links: Sequence[Raw],
        sent: frozenset[bytes],
        cause: Cause | None = None,
    ) -> None:
        if links and label.encode() not in sent:
            of = self._of(id)
            send_all(callbacks(self.app, links, id, label, batch=of, cause=cause))
            self.store.apply([ledger.sent(id, label)])

    def _go_on(self, id: UUID, plan: Plan, rest: Rest, state: EndState) -> None:
        """The chain of which the batch is a link goes on, or ends with it."""
        chain, batch = rest.chain, rest.batch
        if state == "succeeded" or (plan.allow_failures and state != "cancelled"):
            if chain is not None and not chain.links and chain.tail:
                portion = self._portion(chain.store, portion_key(chain.id, chain.tail))
                chain = unfolded(chain, portion)
            if chain is not None and chain.links:
                send_all([next_link(self.app, chain, batch)])
                return
            how: How = "done"
        else:
            how = "failed" if state == "finished with failures" else "dropped"
            cause = Cause(id, f"batch {plan.name}".rstrip(), state)
            if chain is not None:
                send_all(callbacks(self.app, chain.catch, chain.id, "catch", cause=cause))
        if batch is not None and batch.member:
            self.app.batches.tally(batch.store).count({batch.id: [Ended(batch.member, how)]})

    def _portion(self, connection: str, key: str) -> tuple[Raw, ...]:
        (value,) = self.app.connection(connection).store.read([key])
        return read_portion(value, self.app.formats.known_codecs())

    def _of(self, id: UUID) -> Membership:
        return Membership(id, self.connection.name)

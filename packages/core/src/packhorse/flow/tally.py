"""Counts members of batches, ends a batch when nothing is pending, and sends its callbacks.

Called by whoever learns that members have ended: a worker that settled them, the dispatcher, a
sweep. All of it may be repeated: a member leaves those that are pending once, an end is written
once, and the ids of callbacks follow from the batch's.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Raw, Struct

from packhorse import events
from packhorse.errors import PayloadTooLarge
from packhorse.flow import ledger
from packhorse.flow.ledger import How
from packhorse.flow.numbers import End, EndState, Numbers, end_state, read_end, write_end
from packhorse.flow.onward import go_on
from packhorse.flow.step import callbacks, send_all
from packhorse.store.contract import Store
from packhorse.wire.flow import Cause, Membership, Plan
from packhorse.wire.seal import open_body, open_envelope, seal

if TYPE_CHECKING:
    from packhorse.app import Packhorse

PLANS = 1_000
"""Plans that a process keeps at hand: they never change, and each count needs one."""

DROPPED = 1_000
"""Members that are dropped in one round trip."""

_log = logging.getLogger("packhorse.batches")


class Ended(Struct, frozen=True):
    """One member that has ended, as it is counted."""

    member: bytes
    how: How
    cause: Cause | None = None


class Tally:
    """The batches that one connection's store counts. May be used from any thread."""

    def __init__(self, app: "Packhorse", connection: str) -> None:
        self.app = app
        self.connection = app.connection(connection)
        self._plans: OrderedDict[UUID, Plan] = OrderedDict()

    @property
    def store(self) -> Store:
        return self.connection.store

    def count(self, ended: Mapping[UUID, Sequence[Ended]]) -> None:
        """Counts members that have ended, by their batches, in one round trip.

        Raises `ConnectionLost`; counting the same again is safe. Batches that were forgotten
        meanwhile are passed over.
        """
        plans = {id: plan for id in ended if (plan := self.plan(id)) is not None}
        groups, last = [], []
        for id, plan in plans.items():
            some = [(one.member, one.how, self._cause(id, one)) for one in ended[id]]
            groups += ledger.counted(id, some, bool(plan.progress))
            last.append(len(groups) - 1)
        answers = self.store.apply(groups)
        for (id, plan), place in zip(plans.items(), last, strict=True):
            if any(one.how == "failed" for one in ended[id]):
                self.tell_failure(id, plan)
            left, *total = answers[place] or (None,)
            if plan.progress:
                label = f"progress {left} of {total[0]}"
                self._send(plan.progress, id, label)
            if left == 0:
                self.finish(id)

    def reopen(self, members: Sequence[Membership]) -> None:
        """Members that failed are about to be retried: their batches wait for them again."""
        by: dict[UUID, list[bytes]] = {}
        for one in members:
            by.setdefault(one.id, []).append(one.member)
        groups = []
        for id, some in by.items():
            plan = self.plan(id)
            if plan is not None:
                self.tell_failure(id, plan)  # nobody will know of it when its cause is gone
                groups += ledger.reopened(id, some)
        self.store.apply(groups)

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

    def abandon(self, id: UUID) -> None:
        """Its dispatcher is no more: what waits does not run, and what was under way is dropped."""
        self.cancel(id)
        (value,) = self.store.read([ledger.batch_key(id, "pushing")])
        if isinstance(value, bytes):
            self.count({id: [Ended(one, "dropped") for one in ledger.pushed_now(value)]})
            self.store.apply([ledger.all_pushed(id)])
        self.finish(id)

    def give_up(self, id: UUID) -> None:
        """Nobody will hear of its members any more: all that are pending are dropped."""
        self.cancel(id)
        self.store.apply([ledger.all_pushed(id)])
        (value,) = self.store.read([ledger.batch_key(id, "pending")])
        left = sorted(value) if isinstance(value, frozenset) else []
        for start in range(0, len(left), DROPPED):
            self.count({id: [Ended(one, "dropped") for one in left[start : start + DROPPED]]})
        self.finish(id)

    def finish(self, id: UUID) -> None:
        """Writes a batch's end if nothing is pending and nobody dispatches, and tells it."""
        parts = ("over", "pushing", "cancelled")
        before, pushing, cancelled = self.store.read([ledger.batch_key(id, p) for p in parts])
        if isinstance(before, bytes):
            return self.tell(id, before)
        ((pending, failed, dropped),) = self._sizes([id])
        if pending or pushing is not None:
            return None
        state = end_state(cancelled is not None, failed, dropped)
        end = write_end(End(state, time.time(), failed > 0, cancelled is not None))
        (answer,) = self.store.apply([ledger.over(id, end)])
        if answer is not None:
            self.tell(id, end)
        return None

    def tell(self, id: UUID, end: bytes) -> None:
        """Sends the callbacks of a batch that is over, those that were not sent before."""
        plan, ended = self.plan(id), read_end(end)
        if plan is None:
            return
        self.tell_failure(id, plan)
        sent = self._told(id)
        if ended.state == "succeeded":
            self._call_back(id, "then", plan.then, sent)
        self._call_back(id, "finally", plan.finally_, sent)
        if plan.rest is not None:
            self._go_on(id, plan, ended)
        if self.app.bus.hears(events.BatchFinished):
            event = events.BatchFinished(id=id, name=plan.name, state=ended.state)
            self.app.bus.emit(event)
        self.store.apply([ledger.told(id, end), ledger.closed(id)])
        (now,) = self.store.read([ledger.batch_key(id, "over")])
        if now != end:
            # A retry came in between, and put it among the open ones before it was taken from them.
            self.store.apply([ledger.opened(id)])

    def tell_failure(self, id: UUID, plan: Plan) -> None:
        """Does what the first failure brings along, as far as it is not done yet."""
        (value,) = self.store.read([ledger.batch_key(id, "cause")])
        if isinstance(value, bytes):
            if not plan.allow_failures:
                self.cancel(id)
            cause = open_body(open_envelope(value), self.app.formats.known_codecs(), Cause)
            self._call_back(id, "catch", plan.catch, self._told(id), cause)

    def plan(self, id: UUID) -> Plan | None:
        """What a batch is; None if the store knows none of this id."""
        found = self._plans.get(id)
        if found is None:
            (found,) = self.look_up([id])
            if found is not None:
                self._plans[id] = found
                while len(self._plans) > PLANS:
                    self._plans.popitem(last=False)
        return found

    def look_up(self, ids: Sequence[UUID]) -> list[Plan | None]:
        """What batches are, as the store knows them now."""
        values = self.store.read([ledger.batch_key(id) for id in ids])
        known = self.app.formats.known_codecs()
        return [
            open_body(open_envelope(value), known, Plan) if isinstance(value, bytes) else None
            for value in values
        ]

    def numbers(self, ids: Sequence[UUID]) -> list[Numbers]:
        """How batches stand, all of them in two round trips."""
        parts = ("total", "cancelled", "over")
        values = self.store.read([ledger.batch_key(id, part) for id in ids for part in parts])
        found = []
        for place, sizes in enumerate(self._sizes(ids)):
            total, cancelled, over = values[3 * place : 3 * place + 3]
            end = read_end(over) if isinstance(over, bytes) else None
            found.append(
                Numbers(
                    total if isinstance(total, int) else 0,
                    *sizes,
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

    def _sizes(self, ids: Sequence[UUID]) -> list[tuple[int, int, int]]:
        answers = self.store.apply([ledger.sizes(id) for id in ids])
        return [(a[0] or 0, a[1] or 0, a[2] or 0) if a else (0, 0, 0) for a in answers]

    def _told(self, id: UUID) -> frozenset[bytes]:
        (value,) = self.store.read([ledger.batch_key(id, "told")])
        return value if isinstance(value, frozenset) else frozenset()

    def _cause(self, id: UUID, ended: Ended) -> bytes:
        """The cause of a failure as it is kept; empty if there was none."""
        if ended.how != "failed":
            return b""
        unknown = Cause(ledger.chain_of(ended.member), "", "found among the failed jobs")
        cause, codecs = ended.cause or unknown, self.connection.codecs()
        return seal(cause, codecs, id=id, job="batch", at=time.time())

    def _call_back(
        self,
        id: UUID,
        label: str,
        links: Sequence[Raw],
        sent: frozenset[bytes],
        cause: Cause | None = None,
    ) -> None:
        if links and label.encode() not in sent:
            self._send(links, id, label, cause)
            self.store.apply([ledger.sent(id, label)])

    def _send(self, links: Sequence[Raw], id: UUID, label: str, cause: Cause | None = None) -> None:
        of = Membership(id, self.connection.name)
        try:
            made = callbacks(self.app, links, id, label, batch=of, cause=cause)
        except PayloadTooLarge as error:  # nobody will ever be able to send it
            _log.error("batch %s: %r cannot be called back: %s", id, label, error)
            return
        for answer in send_all(self.app, made):
            if answer.state == "refused":
                _log.error("batch %s: %r was refused by the broker: %s", id, label, answer.error)

    def _go_on(self, id: UUID, plan: Plan, end: End) -> None:
        """The chain of which the batch is a link goes on, or ends with it."""
        assert plan.rest is not None
        batch = plan.rest.batch
        cause = Cause(id, _title(plan), end.state)
        how = go_on(self.app, plan.rest, _how(plan, end), cause)
        if how is not None and batch is not None and batch.member:
            self.app.batches.tally(batch.store).count({batch.id: [Ended(batch.member, how, cause)]})


def _how(plan: Plan, end: End) -> How:
    """How a batch has ended, as a link of a chain."""
    bearable = plan.allow_failures and not end.cancelled
    if end.state == "succeeded" or bearable:
        return "done"
    return "failed" if end.failed else "dropped"


def _title(plan: Plan) -> str:
    return f"batch {plan.name}".rstrip()


__all__ = ["EndState", "Ended", "How", "Numbers", "Tally"]

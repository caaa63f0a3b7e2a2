"""Unique keys that a store keeps, as a worker meets them: who may start, and what is freed at the end."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from packhorse.errors import PackhorseError
from packhorse.store.contract import Group, Store, Value
from packhorse.store.holds import Hold, Place, unpack, window_left
from packhorse.worker.attempt import Again, Bury, Finish, Verdict

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.worker.execution import Execution

PATIENCE = 5.0
"""Seconds after which a job looks again whether another has taken its place, whose sending is under way."""


class Claimed(Struct, frozen=True):
    """What a job knows of its own key: which store has it, what it says while the job holds it, and
    whether nobody held it before."""

    store: str
    place: Place
    hold: Hold | None
    sent_at: float
    was_free: bool = False

    def end(self, verdict: Verdict) -> Group | None:
        """What is written before the broker is told that the job has ended."""
        if self.hold is not None:
            left = window_left(self.place.unique, self.sent_at, time.time())
            return self.place.ending(self.hold, left)
        superseded = isinstance(verdict, Finish) and verdict.result == "superseded"
        return self.place.forgetting() if superseded else None

    def let_go(self) -> Group | None:
        """What is written where the broker knows no such reservation, if the key is still this delivery's.

        It goes back to what it was: a key that was free may be that of a message that was done meanwhile.
        """
        if self.hold is None:
            return None
        if not self.was_free:
            return self.place.waiting_again(self.hold, 0.0)
        left = window_left(self.place.unique, self.sent_at, time.time())
        return self.place.ending(self.hold, left)

    def wait(self, delay: float = 0.0) -> Group | None:
        """What is written once the broker knows that the job waits again."""
        return None if self.hold is None else self.place.waiting_again(self.hold, delay)


class Judged(Struct, frozen=True):
    """Whether a job may start, what is to be written for it, and what its key then says."""

    verdict: Finish | None = None
    waits: bool = False
    group: Group | None = None
    hold: Hold | None = None
    was_free: bool = False


def judge(
    place: Place,
    found: Value | None,
    mark: Value | None,
    *,
    sent_at: float,
    now: float,
    token: bytes,
) -> Judged:
    """Whether a job may start, given what the store has of its key and of itself.

    It must not if another has its key: that one took its place, or this is a message that is over
    and came again. A key that is for the time before the start is let go here.
    """
    value = found if isinstance(found, bytes) else None
    if mark is not None:
        return Judged(Finish("superseded"))
    held = None if value is None else unpack(value)
    own = held is not None and held.holder == place.id
    if place.unique.until == "reserved":
        return _pass(place, value, held, own, window_left(place.unique, sent_at, now))
    if held is not None and not own:
        sending = held.phase == "sending"
        return Judged(waits=True) if sending else Judged(Finish("superseded"))
    first = now if held is None else held.first
    hold = Hold(place.id, "started", first, token)
    return Judged(group=place.starting(hold, value, held), hold=hold, was_free=held is None)


def _pass(place: Place, value: bytes | None, held: Hold | None, own: bool, window: float) -> Judged:
    if own and held is not None and value is not None and held.phase in ("sending", "waiting"):
        return Judged(group=place.passing(held, value, window))
    if held is not None and held.phase == "sending" and place.id in held.replaced:
        return Judged(waits=True)
    return Judged(group=place.forgetting())


def has_claim(execution: "Execution") -> bool:
    """Whether a store keeps a job's unique key."""
    return execution.body is not None and execution.body.unique is not None


def claim_keys(app: "Packhorse", executions: "Iterable[Execution]") -> None:
    """Lets jobs have their keys; sets the verdict of those that must not start. Raises `ConnectionLost`."""
    by: dict[str, list[Execution]] = {}
    for execution in executions:
        body = execution.body
        assert body is not None
        assert body.unique is not None
        by.setdefault(body.unique.store, []).append(execution)
    for name, some in by.items():
        try:
            keys = app.connection(name).unique_keys()
        except PackhorseError as error:  # the key is kept where this process cannot look
            for execution in some:
                execution.verdict = execution.verdict or Bury(str(error), error)
            continue
        left = some
        while left:
            left = _claim(keys.store, [(one, _place(app, name, one)) for one in left])


def _claim(store: Store, asking: "Sequence[tuple[Execution, Place]]") -> "list[Execution]":
    """One look at the store, and one change of it; those whose key has changed in between.

    What will not start, because its lease has ended by the time of the answer, must not take a key:
    it would be taken from whoever has got the job meanwhile.
    """
    values = store.read([key for _, place in asking for key in (place.key, place.mark)])
    now, clock = time.time(), time.monotonic()
    found = zip(asking, values[::2], values[1::2], strict=True)
    judged = [
        (
            execution,
            place,
            judge(place, value, mark, sent_at=execution.envelope.at, now=now, token=os.urandom(8)),
        )
        for (execution, place), value, mark in found
        if clock < execution.deadline
    ]
    for execution, place, one in judged:
        # Before the store is told: its reply may get lost, and then the key is given back with the job.
        _hold(execution, place, one)
    groups = [one.group for _, _, one in judged if one.group is not None]
    answers = iter(store.apply(groups) if groups else [])
    left = []
    for execution, _, one in judged:
        if one.group is not None and next(answers) is None:
            left.append(execution)
        else:
            _decide(execution, one)
    return left


def _hold(execution: "Execution", place: Place, judged: Judged) -> None:
    body = execution.body
    assert body is not None
    assert body.unique is not None
    execution.claimed = Claimed(
        body.unique.store, place, judged.hold, execution.envelope.at, judged.was_free
    )


def _decide(execution: "Execution", judged: Judged) -> None:
    envelope = execution.envelope
    if judged.waits:
        lost = envelope.lost + execution.delivery.deliveries - 1
        execution.verdict = execution.verdict or Again(PATIENCE, envelope.failed, lost)
    elif judged.verdict is not None:
        execution.verdict = judged.verdict


def _place(app: "Packhorse", connection: str, execution: "Execution") -> Place:
    message, body = execution.delivery.message, execution.body
    assert body is not None
    assert body.unique is not None
    id: UUID = message.id
    return app.connection(connection).unique_keys().place(message.queue, id, body.unique.unique)

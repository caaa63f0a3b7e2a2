"""A unique key in a store under crashes: dispatchers and workers that die at any step, leases that end.

The broker is the simplest that redelivers: it shares nothing with the store, as the real ones do.
"""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from packhorse.driver.contract import DriverSetup
from packhorse.driver.message import Message, Sent, Unique
from packhorse.driver.url import Url
from packhorse.errors import ConnectionLost
from packhorse.store.contract import Answers, Group, Value
from packhorse.store.holds import MARKED, SENDING
from packhorse.store.memory import MemoryStore
from packhorse.store.unique import UniqueKeys
from packhorse.testing import ManualClock
from packhorse.worker.attempt import Finish
from packhorse.worker.claims import Claimed, judge

QUEUE, KEY = "q", "k"

DONE = Finish("done")
DIES = ("never", "before it sends", "after it has sent")


class Killed(BaseException):
    """A process is gone: nothing of it happens any more."""


class Mortal(MemoryStore):
    """A store whose user may be killed, and then changes nothing any more."""

    killed = False

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        self._check()
        return super().read(keys)

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        self._check()
        return super().apply(groups)

    def _check(self) -> None:
        if self.killed:
            raise Killed


class Run:
    """One delivery of a message to a worker."""

    def __init__(self, id: UUID, claimed: Claimed) -> None:
        self.id = id
        self.claimed = claimed


class KeysUnderCrashes(RuleBasedStateMachine):
    until: Literal["done", "reserved"] = "done"

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = Mortal(Url.parse("memory://"), DriverSetup(clock=self.clock))
        self.keys = UniqueKeys(self.store, "main", None)
        self.waiting: list[UUID] = []
        self.leased: dict[UUID, Run] = {}
        self.zombies: list[Run] = []
        self.sent: dict[UUID, int] = {}
        self.dying: set[UUID] = set()
        self.started: list[tuple[int, UUID]] = []
        self.steps = 0

    # dispatchers

    @rule(on_taken=st.sampled_from(["keep", "replace"]), dies=st.sampled_from(DIES))
    def push(self, on_taken: Literal["keep", "replace"], dies: str) -> None:
        def send(messages: Sequence[Message]) -> list[Sent]:
            self.store.killed = dies == "before it sends"
            self.store._check()
            answers = self._send(messages)
            self.store.killed = dies == "after it has sent"
            self.store._check()
            return answers

        message = self._message(on_taken)
        try:
            (answer,) = self.keys.send([message], send)
        except Killed:
            self.store.killed = False
            self.dying.add(message.id)
            return
        if answer.state == "taken":
            assert answer.holder in self.sent.keys() | self.dying, "held by what was never sent"
            assert message.id not in self.sent
        else:
            assert answer.state == "stored"
            assert message.id in self.waiting
            assert answer.superseded is None or on_taken == "replace"

    @rule(on_taken=st.sampled_from(["keep", "replace"]), happened=st.booleans())
    def push_and_lose_the_reply(self, on_taken: Literal["keep", "replace"], happened: bool) -> None:
        def send(messages: Sequence[Message]) -> list[Sent]:
            if happened:
                self._send(messages)
            raise ConnectionLost("the reply")

        try:
            (answer,) = self.keys.send([self._message(on_taken)], send)
        except ConnectionLost:
            return
        assert answer.state == "taken"

    # workers

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 9))
    def deliver(self, which: int) -> None:
        self._start(self.waiting.pop(which % len(self.waiting)))

    @precondition(lambda self: self.leased)
    @rule(which=st.integers(0, 9))
    def lease_ends(self, which: int) -> None:
        """The worker does not know it; somebody else gets the message."""
        run = self.leased.pop(list(self.leased)[which % len(self.leased)])
        self.zombies.append(run)
        self.waiting.append(run.id)

    @precondition(lambda self: self.leased)
    @rule(which=st.integers(0, 9), dies=st.booleans(), verdict=st.sampled_from(["done", "retry"]))
    def settle(self, which: int, dies: bool, verdict: str) -> None:
        run = list(self.leased.values())[which % len(self.leased)]
        if verdict == "done":
            self._write(run.claimed.end(DONE))
            del self.leased[run.id]
            if dies:
                self.waiting.append(run.id)
        else:
            del self.leased[run.id]
            self.waiting.append(run.id)
            if not dies:
                self._write(run.claimed.wait(0.0))

    @precondition(lambda self: self.zombies)
    @rule(verdict=st.sampled_from(["done", "dies"]))
    def a_stale_worker_settles(self, verdict: str) -> None:
        """It writes what comes before; the broker then refuses its token."""
        run = self.zombies.pop()
        if verdict == "done":
            self._write(run.claimed.end(DONE))

    @rule()
    def time_passes(self) -> None:
        self.clock.advance(SENDING + 1)
        self.dying.clear()

    @rule()
    def clear(self) -> None:
        for id in self.waiting:
            self.started.append((self._step(), id))  # nobody has to run them any more
        self.zombies += self.leased.values()
        self.waiting.clear()
        self.leased.clear()
        self.keys.cleared(QUEUE)

    # promises

    @invariant()
    def one_at_a_time(self) -> None:
        if self.until == "done":
            assert len(self.leased) <= 1

    def teardown(self) -> None:
        self.clock.advance(SENDING + 1)
        for run in list(self.leased.values()):
            self._write(run.claimed.end(DONE))
        self.leased.clear()
        for id in list(self.waiting):
            self._start(id)
            for run in self.leased.values():
                self._write(run.claimed.end(DONE))
            self.leased.clear()
        for id, sent in self.sent.items():
            assert any(step > sent for step, _ in self.started), (
                f"{id} and those after it never ran"
            )
        self.clock.advance(MARKED)
        names = list(self.store._items)
        left = {name: v for name, v in zip(names, self.store.read(names), strict=True) if v}
        assert not left, "something is left in the store"

    def _message(self, on_taken: Literal["keep", "replace"]) -> Message:
        return Message(uuid4(), QUEUE, b"", unique=Unique(KEY, self.until, on_taken=on_taken))

    def _send(self, messages: Sequence[Message]) -> list[Sent]:
        for message in messages:
            assert message.unique is None, "the driver keeps no keys"
            self.waiting.append(message.id)
            self.sent[message.id] = self._step()
        return [Sent(message.id, "stored") for message in messages]

    def _start(self, id: UUID) -> None:
        """What a worker does with a delivery: it may run it, give it back, or take it off."""
        place = self.keys.place(QUEUE, id, Unique(KEY, self.until))
        found, mark = self.store.read([place.key, place.mark])
        judged = judge(place, found, mark, sent_at=0.0, now=1.0, token=uuid4().bytes)
        if judged.group is not None:
            assert self.store.apply([judged.group]) != [None]
        claimed = Claimed("main", place, judged.hold, 0.0)
        if judged.waits:
            self._write(claimed.wait(0.0))
            self.waiting.append(id)
        elif judged.verdict is not None:
            self._write(claimed.end(judged.verdict))
        else:
            self.leased[id] = Run(id, claimed)
            self.started.append((self._step(), id))

    def _write(self, group: Group | None) -> None:
        if group is not None:
            self.store.apply([group])

    def _step(self) -> int:
        self.steps += 1
        return self.steps


class ReservedUnderCrashes(KeysUnderCrashes):
    until = "reserved"


TestKeysUnderCrashes = KeysUnderCrashes.TestCase
TestReservedUnderCrashes = ReservedUnderCrashes.TestCase
TestKeysUnderCrashes.settings = TestReservedUnderCrashes.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None
)


def test_c6_a_stale_worker_frees_nothing_of_the_delivery_after_it() -> None:
    one = KeysUnderCrashes()
    one.push("keep", "never")
    one.deliver(0)
    one.lease_ends(0)
    one.deliver(0)
    one.a_stale_worker_settles("done")
    one.push("keep", "never")
    assert one.waiting == []  # its key is held on
    one.teardown()

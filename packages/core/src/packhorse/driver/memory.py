"""`memory://`: the reference driver, in this process only; `?like=sqs` gives it a broker's limits.

`like=sqs|sqs-fifo|beanstalkd|cluster` (see `personality.py`) and `max_body=BYTES` take something
away; `lose=N` carries out every Nth send, reserve and settle and then raises `ConnectionLost`, as a
broker does whose reply was lost. One lock guards everything; nothing polls.
"""

import builtins
import threading
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Literal, TypeVar
from uuid import UUID

from msgspec import structs

from packhorse.driver import abilities, limits
from packhorse.driver.abilities import Cancels, Clears, KeepsDead, Lists, Pauses, Rescues, Rewrites
from packhorse.driver.broker import Broker
from packhorse.driver.contract import Capabilities, Consumer, Driver, DriverSetup
from packhorse.driver.line import Entry, moment_of
from packhorse.driver.memory_consumer import MemoryConsumer
from packhorse.driver.message import Counts, Listed, Message, Rewriting, Sent, State
from packhorse.driver.personality import OPTIONS, PERSONALITIES, Personality
from packhorse.driver.url import Url
from packhorse.errors import ConfigError, ConnectionLost

T = TypeVar("T")


class MemoryTransport(Driver, Clears):
    """What every broker can do: send, reserve, settle, renew, count and clear."""

    capabilities: Capabilities
    local = True

    def __init__(self, setup: DriverSetup, personality: Personality, lose: int = 0) -> None:
        self.connection = setup.connection
        self.clock = setup.clock
        self.capabilities = personality.capabilities
        self._personality = personality
        self._latest = setup.clock.monotonic()
        self._lease = setup.lease
        self._lose = lose
        self._start()

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "MemoryTransport":
        """Makes a `MemoryDriver`, or a `MemoryTransport` for a broker that can do no more."""
        url.expect(OPTIONS)
        like = url.option("like", str, "memory")
        if like not in PERSONALITIES:
            known = ", ".join(PERSONALITIES)
            raise ConfigError(f"option 'like' of {url} is {like!r}; it can be: {known}")
        personality = PERSONALITIES[like]
        if max_body := url.option("max_body", int, 0):
            capabilities = structs.replace(personality.capabilities, max_body=max_body)
            personality = structs.replace(personality, capabilities=capabilities)
        kind = MemoryTransport
        if personality.keeps_dead:
            kind = MemoryDriver if personality.abilities else MemoryBuries
        return kind(setup, personality, url.option("lose", int, 0))

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        limits.check(messages, self.capabilities, self.connection)
        with self.lock:
            answers = self.broker.send(messages, self.now())
            self.changed()
        return self.answer(answers)

    def consumer(self, worker: str) -> Consumer:
        return MemoryConsumer(self, worker)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        with self.lock:
            line, now = self.broker.lines.get(queue), self.now()
            if line is None:
                return Counts()
            delayed = line.delayed(now)
            exact = (line.waiting() - delayed, delayed, line.reserved(), line.groups.parked)
        ready, delayed, reserved, parked = (min(number, cap) for number in exact)
        return Counts(ready, delayed, reserved, max(exact) > cap, parked)

    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        with self.lock:
            now = self.now()
            chosen = self._select(queue, state, now)
            if older_than is not None:
                chosen = [each for each in chosen if moment_of(each) <= now - older_than]
            for entry in chosen:
                if entry.record is None:
                    self.broker.remove(entry)
                self.broker.end(entry, now)
            self.changed()
            return len(chosen)

    def after_fork(self) -> None:
        """Starts empty: what the parent holds in its memory is the parent's to run."""
        self._start()

    def close(self) -> None:
        """There is nothing to give back; what was sent stays for as long as the driver does."""

    def now(self) -> float:
        """A moment of the broker's clock, which never runs back; under the lock."""
        self._latest = max(self._latest, self.clock.monotonic())
        return self._latest

    def changed(self) -> None:
        """Lets blocked reservations look again; under the lock."""
        if self.blocked:
            self.condition.notify_all()

    def answer(self, reply: T) -> T:
        """A reply on its way back, unless it is one that gets lost."""
        if self._lose:
            with self.lock:
                self._answers += 1
                lost = self._answers % self._lose == 0
            if lost:
                raise ConnectionLost(
                    f"connection {self.connection!r} lost a reply, as lose={self._lose} asks: "
                    "what was under way has happened"
                )
        return reply

    def _start(self) -> None:
        self.lock = threading.Lock()
        self.condition = threading.Condition(self.lock)
        self.blocked = 0
        self.broker = Broker(self._personality, self._lease)
        self.pauses: dict[str, float | None] = {}
        self._answers = 0

    def _select(self, queue: str | None, state: State | None, now: float) -> list[Entry]:
        """A queue's messages in a state (None: all that live), unordered; the dead as they died."""
        among = self.broker.dead if state == "dead" else self.broker.live
        return [
            entry
            for entry in among.values()
            if (queue is None or entry.message.queue == queue)
            and (state is None or _state(entry, now) == state)
        ]


class MemoryBuries(MemoryTransport, abilities.Buries):
    """A broker that keeps dead messages and lists nothing."""

    def buried(self, queue: str | None) -> int:
        with self.lock:
            return len(self._select(queue, "dead", self.now()))

    def exhume(self, queue: str | None) -> int:
        with self.lock:
            now = self.now()
            dead = self._select(queue, "dead", now)
            for entry in dead:
                self.broker.end(entry, now)
            self.broker.send([entry.message for entry in dead], now)
            self.changed()
            return len(dead)


class MemoryDriver(MemoryTransport, Lists, Cancels, Pauses, KeepsDead, Rewrites, Rescues):
    """The reference driver: all abilities."""

    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> "builtins.list[Listed]":
        with self.lock:
            now = self.now()
            entries = self._select(queue, state, now)
            if state == "dead":
                entries.reverse()
            else:
                entries.sort(key=lambda entry: (moment_of(entry), entry.sequence))
            keys = [entry.key for entry in entries] if after is not None else []
            start = keys.index(after.int) + 1 if after is not None and after.int in keys else 0
            return [self._listed(entry, now) for entry in islice(entries, start, start + limit)]

    def get(self, ids: Sequence[UUID]) -> "builtins.list[Listed | None]":
        with self.lock:
            now, broker = self.now(), self.broker
            found = (broker.live.get(id.int) or broker.dead.get(id.int) for id in ids)
            return [None if entry is None else self._listed(entry, now) for entry in found]

    def queues(self) -> "builtins.list[str]":
        with self.lock:
            living = {name for name, line in self.broker.lines.items() if len(line)}
            return sorted(living | {entry.message.queue for entry in self.broker.dead.values()})

    def oldest(self, queue: str) -> float | None:
        with self.lock:
            now = self.now()
            waiting = self._select(queue, "waiting", now)
            return max((now - entry.moment for entry in waiting), default=None)

    def move(self, ids: Sequence[UUID], queue: str) -> int:
        with self.lock:
            now = self.now()
            living = (self.broker.live.get(id.int) for id in set(ids))
            waiting = [entry for entry in living if entry is not None and not entry.token]
            waiting.sort(key=lambda entry: entry.sent)
            moved = [self.broker.move(entry, queue, now) for entry in waiting]
            self.changed()
            return sum(moved)

    def cancel(self, ids: Sequence[UUID]) -> "builtins.list[Literal['marked', 'leased', 'gone']]":
        with self.lock:
            now = self.now()
            answers = [self._cancel(id, now) for id in ids]
            self.changed()
            return answers

    def pause(self, queue: str, for_: float | None = None) -> None:
        with self.lock:
            self.pauses[queue] = None if for_ is None else self.now() + for_

    def resume(self, queue: str) -> None:
        with self.lock:
            self.pauses.pop(queue, None)
            self.changed()

    def paused(self) -> dict[str, float | None]:
        with self.lock:
            now = self.now()
            ends = {name: end for name, end in self.pauses.items() if end is None or end > now}
            self.pauses = ends
            return {name: None if end is None else end - now for name, end in ends.items()}

    def revive(self, messages: Sequence[Message]) -> "builtins.list[Sent]":
        limits.check(messages, self.capabilities, self.connection)
        with self.lock:
            now = self.now()
            answers = [self.broker.revive(message, now) for message in messages]
            self.changed()
            return answers

    def forget(self, ids: Sequence[UUID]) -> int:
        with self.lock:
            now = self.now()
            dead = [entry for id in set(ids) if (entry := self.broker.dead.get(id.int))]
            for entry in dead:
                self.broker.end(entry, now)
            return len(dead)

    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        with self.lock:
            live, dead = self.broker.live, self.broker.dead
            found = [(live.get(one.id.int) or dead.get(one.id.int), one) for one in changes]
            return sum(entry is not None and entry.rewrite(one) for entry, one in found)

    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        with self.lock:
            held = [
                entry
                for line in self.broker.lines.values()
                for entry in line.holders()
                if entry.worker == worker and entry.token not in keep
            ]
            for entry in held:
                self.broker.rescue(entry, blamed is not None and entry.message.id in blamed)
            self.changed()
            return len(held)

    def _cancel(self, id: UUID, now: float) -> Literal["marked", "leased", "gone"]:
        entry = self.broker.live.get(id.int)
        if entry is None:
            return "gone"
        self.broker.cancel(entry, now)
        return "leased" if entry.token else "marked"

    def _listed(self, entry: Entry, now: float) -> Listed:
        wall = self.clock.wall() - now
        return Listed(
            entry.message,
            _state(entry, now),
            wall + moment_of(entry),
            entry.deliveries,
            entry.worker or None,
            entry.cancelled,
            entry.record,
            entry.superseded,
        )


def _state(entry: Entry, now: float) -> State:
    if entry.record is not None:
        return "dead"
    if entry.token:
        return "leased"
    if entry.parked:
        return "parked"
    return "delayed" if entry.moment > now else "waiting"

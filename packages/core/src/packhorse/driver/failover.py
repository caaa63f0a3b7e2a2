"""`failover://first,second`: sends to the first of several connections that can be reached.

Everything but sending (consumer, counts, abilities, capabilities) is the first member's, but that it
keeps unique keys and groups only if each member does, each its own. Each further member needs a
worker of its own, on its own connection, or what was sent there waits. A send that raised
`ConnectionLost` may have happened all the same; the next member then gets the same messages again,
so a job can be on both, under the same id.
"""

import threading
from collections.abc import Callable, Sequence
from typing import cast

from msgspec import structs

from packhorse.driver.contract import Capabilities, Consumer, Driver, DriverSetup
from packhorse.driver.message import Counts, Message, Sent
from packhorse.driver.url import Url
from packhorse.errors import ConfigError, ConnectionLost
from packhorse.events.types import QueueFailedOver

REST = 5.0
"""For how many seconds a member that failed is tried after the others, not before them."""


class FailoverDriver(Driver):
    """Sends to the first member that can be reached; members stay with their own connections."""

    borrowed = True

    def __init__(self, members: dict[str, Driver], setup: DriverSetup) -> None:
        self._members = members
        self._first = next(iter(members.values()))
        self.capabilities = _together([one.capabilities for one in members.values()])
        self.has_workers = self._first.has_workers
        self._notify = setup.notify
        self._monotonic = setup.clock.monotonic
        self._lock = threading.Lock()
        self._resting: dict[str, float] = {}

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "FailoverDriver":
        """Opens the members; raises `ConfigError` if there are not two, or one is this very one."""
        url.expect([])
        names = [name.strip() for name in url.host.split(",")]
        if len(set(names)) < 2 or len(set(names)) < len(names) or not all(names):
            raise ConfigError(
                f"{url} names no two different connections; write failover://first,second"
            )
        if setup.connection in names:
            raise ConfigError(f"connection {setup.connection!r} fails over to itself: {url}")
        members = {name: setup.peer(name) for name in names}
        kind = _with_abilities(cls, type(members[names[0]]))
        return kind(members, setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        """Sends all messages to one member; raises `ConnectionLost` if none can be reached."""
        failed: list[tuple[str, ConnectionLost]] = []
        for name in self._order():
            try:
                sent = self._members[name].send(messages)
            except ConnectionLost as error:
                failed.append((name, error))
                with self._lock:
                    self._resting[name] = self._monotonic() + REST
                continue
            with self._lock:
                self._resting.pop(name, None)
            for before, cause in failed:
                self._notify(QueueFailedOver(connection=before, to=name, error=str(cause)))
            return sent
        last = failed[-1][1]
        names = ", ".join(self._members)
        raise ConnectionLost(
            f"none of the connections {names} can be reached; the last said: {last}"
        ) from last

    def consumer(self, worker: str) -> Consumer:
        return self._first.consumer(worker)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        return self._first.counts(queue, cap)

    def close(self) -> None:
        """Leaves the members to their own connections."""

    def after_fork(self) -> None:
        """Drops a lock that the parent may hold; the members are told by their own connections."""
        self._lock = threading.Lock()

    def _order(self) -> list[str]:
        now = self._monotonic()
        with self._lock:
            return sorted(self._members, key=lambda name: self._resting.get(name, now) > now)


def _together(members: Sequence[Capabilities]) -> Capabilities:
    """The first one's, as far as what is kept beside a message is kept by all."""
    retentions = [one.retention for one in members]
    known = [each for each in retentions if each is not None]
    return structs.replace(
        members[0],
        unique=all(one.unique for one in members),
        groups=all(one.groups for one in members),
        retention=max(known) if len(known) == len(members) else None,
    )


def _with_abilities(kind: type[FailoverDriver], member: type[Driver]) -> type[FailoverDriver]:
    """A subclass with the abilities of a member (its abstract bases), handed on to it."""
    abilities = {
        base: getattr(base, "__abstractmethods__", frozenset[str]())
        for base in member.__mro__
        if not issubclass(base, Driver)
    }
    abilities = {base: names for base, names in abilities.items() if names}
    verbs = {name: _hand_on(name) for names in abilities.values() for name in names}
    return cast(type[FailoverDriver], type(kind.__name__, (kind, *abilities), verbs))


def _hand_on(name: str) -> Callable[..., object]:
    def verb(self: FailoverDriver, *args: object, **keywords: object) -> object:
        return getattr(self._first, name)(*args, **keywords)

    verb.__name__ = name
    return verb

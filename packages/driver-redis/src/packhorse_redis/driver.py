"""The Redis driver: sends, counts, rescues, and opens consumers."""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from packhorse.plugin import (
    Capabilities,
    Counts,
    Driver,
    DriverSetup,
    Message,
    Rescues,
    Sent,
    Url,
)
from packhorse_redis.address import Address, prefix_of
from packhorse_redis.concerns import concerns
from packhorse_redis.connection import Arg
from packhorse_redis.consumer import RedisConsumer
from packhorse_redis.control import Control
from packhorse_redis.replies import items, number, text
from packhorse_redis.scripts import script
from packhorse_redis.sending import send
from packhorse_redis.server import Server
from packhorse_redis.slot import Slot


class RedisDriver(Control, Rescues, Driver):
    """Keeps messages on one Redis or Valkey server."""

    capabilities = Capabilities(
        follow="atomic",
        fencing="broker",
        rewrite="in_place",
        known_ids=True,
        unique=True,
        groups=True,
        counts="exact",
    )

    def __init__(self, server: Server, slot: Slot, setup: DriverSetup) -> None:
        self._server = server
        self._slot = slot
        self._setup = setup

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "RedisDriver":
        return cls(Server(Address.read(url), setup), Slot(prefix_of(url)), setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return send(self._server, self._slot, messages)

    def consumer(self, worker: str) -> RedisConsumer:
        return RedisConsumer(self._server, self._slot, worker, self._setup)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        reply = self._server.run(script("counts"), self._slot, [queue], again=True)
        exact = [number(each) for each in items(reply)]
        ready, delayed, reserved, parked = (min(each, cap) for each in exact)
        return Counts(ready, delayed, reserved, max(exact) > cap, parked)

    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        kept, started = set(keep), {id.bytes for id in blamed or ()}
        return sum(
            self._rescue(queue, [token for token in tokens if token not in kept], started)
            for queue in self._known_queues()
            for tokens in self._held_by(worker.encode(), queue)
        )

    def _rescue(self, queue: str, tokens: Sequence[bytes], started: set[bytes]) -> int:
        if not tokens:
            return 0
        args: list[Arg] = [queue]
        for token in tokens:
            args += (token, int(token[:16] in started))
        return number(self._server.run(script("rescue"), self._slot, [queue], args))

    def _held_by(self, worker: bytes, queue: str) -> Iterator[list[bytes]]:
        """The tokens of what a worker holds of a queue, in portions."""
        leases = self._slot.key("leases")
        for ids in self._scan(self._slot.key("leased", queue)):
            records = items(self._server.call((b"HMGET", leases), ids, again=True)) if ids else []
            yield [
                id + text(record)[:8]
                for id, record in zip(ids, records, strict=True)
                if record is not None and text(record)[8:].split(b" ", 2)[2] == worker
            ]

    def concerns(self) -> list[str]:
        return concerns(self._server)

    def after_fork(self) -> None:
        self._server.after_fork()

    def close(self) -> None:
        self._server.close()

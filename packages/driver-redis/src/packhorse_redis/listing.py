"""What an operator sees: messages by state and page, by id, and the queues that there are."""

import builtins
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from packhorse.plugin import DriverSetup, Listed, Lists, State
from packhorse_redis.connection import Arg, Reply
from packhorse_redis.moments import seconds
from packhorse_redis.replies import items, number, text
from packhorse_redis.scripts import script
from packhorse_redis.sending import MOST
from packhorse_redis.server import Server
from packhorse_redis.slot import Slot
from packhorse_redis.value import unpack


class _Place(Struct, frozen=True):
    """Where a page ended."""

    queue: str
    id: bytes
    score: bytes


class Listing(Lists):
    """Reads of a page at a time; what is in one queue is read at one moment."""

    _server: Server
    _slot: Slot
    _setup: DriverSetup

    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> builtins.list[Listed]:
        place = None if after is None else self._place(after, state)
        if queue is not None and place is not None and place.queue != queue:
            place = None
        names = self._known_queues() if queue is None else [queue]
        found = [
            (float(text(score)), name, at, _listed(UUID(bytes=text(id)), shown))
            for name in names
            for at, (id, score, shown) in enumerate(self._page(name, state, limit, place))
            if shown is not None
        ]
        # The queue, then the place on it, for those of one moment.
        backwards = state == "dead"
        found.sort(key=lambda each: (-each[0] if backwards else each[0], each[1], each[2]))
        return [listed for *_, listed in found[:limit]]

    def _page(
        self, queue: str, state: State, limit: int, place: _Place | None
    ) -> Iterator[tuple[Reply, Reply, Reply]]:
        args: tuple[Arg, ...] = (state, limit, "", "", "")
        if place is not None:
            args = (state, limit, place.id, place.score, int(queue > place.queue))
        reply = self._server.run(script("list"), self._slot, [queue], args, again=True)
        for each in items(reply):
            id, score, shown = items(each)
            yield id, score, shown

    def _place(self, id: UUID, state: State) -> _Place | None:
        """Where a message stands, None if it is not in that state."""
        (queue,) = self._queues_of([id])
        if queue is None:
            return None
        args = id.bytes, state
        score = self._server.run(script("place"), self._slot, [queue], args, again=True)
        return None if score is None else _Place(queue, id.bytes, text(score))

    def get(self, ids: Sequence[UUID]) -> builtins.list[Listed | None]:
        found: dict[UUID, Listed] = {}
        for queue, members in self._by_queue(ids):
            args = [id.bytes for id in members]
            reply = items(self._server.run(script("get"), self._slot, [queue], args, again=True))
            shown = zip(members, reply, strict=True)
            found.update((id, _listed(id, each)) for id, each in shown if each is not None)
        return [found.get(id) for id in ids]

    def queues(self) -> builtins.list[str]:
        full: builtins.list[str] = []
        names = self._known_queues()
        for start in range(0, len(names), MOST):
            some = names[start : start + MOST]
            reply = self._server.run(script("queues"), self._slot, some, some, again=True)
            full += [text(name).decode() for name in items(reply)]
        return sorted(full)

    def oldest(self, queue: str) -> float | None:
        age = number(self._server.run(script("oldest"), self._slot, [queue], again=True))
        return None if age < 0 else seconds(age)

    def move(self, ids: Sequence[UUID], queue: str) -> int:
        moved = 0
        for source, members in self._by_queue(ids):
            if source == queue:
                still = {"waiting", "delayed", "parked"}
                moved += sum(each is not None and each.state in still for each in self.get(members))
                continue
            both = [source, queue]
            args: builtins.list[Arg] = [*both, *(id.bytes for id in members)]
            moved += number(self._server.run(script("move"), self._slot, both, args))
        return moved

    def _known_queues(self) -> builtins.list[str]:
        """The queues that hold, or held, any message."""
        names = {name for some in self._members("queues") for name in some}
        return sorted(name.decode() for name in names)

    def _members(self, name: str) -> Iterator[builtins.list[bytes]]:
        cursor = b"0"
        while True:
            head = (b"SSCAN", self._slot.key(name), cursor, b"COUNT", MOST)
            reply = items(self._server.call(head, again=True))
            cursor = text(reply[0])
            yield [text(each) for each in items(reply[1])]
            if cursor == b"0":
                return

    def _scan(self, key: bytes) -> Iterator[builtins.list[bytes]]:
        """The ids in a line, in portions: all that stand there from the first to the last look."""
        cursor = b"0"
        while True:
            reply = items(self._server.call((b"ZSCAN", key, cursor, b"COUNT", MOST), again=True))
            cursor = text(reply[0])
            ids = [text(each) for each in items(reply[1])[::2]]
            yield from (ids[at : at + MOST] for at in range(0, len(ids), MOST))
            if cursor == b"0":
                return

    def _queues_of(self, ids: Sequence[UUID]) -> builtins.list[str | None]:
        """On which queues messages are, None where there is no message."""
        names: builtins.list[str | None] = []
        for start in range(0, len(ids), MOST):
            args = [id.bytes for id in ids[start : start + MOST]]
            reply = self._server.run(script("queues_of"), self._slot, (), args, again=True)
            names += [None if name is None else text(name).decode() for name in items(reply)]
        return names

    def _by_queue(self, ids: Sequence[UUID]) -> Iterable[tuple[str, builtins.list[UUID]]]:
        """Messages by their queue, in portions."""
        queues: dict[str, builtins.list[UUID]] = {}
        distinct = [*dict.fromkeys(ids)]
        for id, queue in zip(distinct, self._queues_of(distinct), strict=True):
            if queue is not None:
                queues.setdefault(queue, []).append(id)
        for queue, members in queues.items():
            for start in range(0, len(members), MOST):
                yield queue, members[start : start + MOST]


def _listed(id: UUID, shown: Reply) -> Listed:
    """A message as a listing shows it, from what a script tells."""
    state, moment, value, deliveries, worker, marks, record = items(shown)
    message, letters = unpack(id, text(value)), text(marks)
    if b"g" in letters:
        message = replace(message, group=None)
    return Listed(
        message,
        _STATES[text(state)],
        seconds(float(text(moment))),
        number(deliveries),
        None if worker is None else text(worker).decode(),
        b"c" in letters,
        None if record is None else text(record),
        b"s" in letters,
    )


_STATES: dict[bytes, State] = {
    b"waiting": "waiting",
    b"delayed": "delayed",
    b"leased": "leased",
    b"parked": "parked",
    b"dead": "dead",
}

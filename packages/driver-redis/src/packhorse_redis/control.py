"""What an operator does: cancel, clear, pause and resume, revive and forget."""

from collections.abc import Sequence
from typing import Literal, cast
from uuid import UUID

from packhorse.plugin import Cancels, Clears, KeepsDead, Message, Pauses, Sent, State
from packhorse_redis.connection import Arg
from packhorse_redis.listing import Listing
from packhorse_redis.moments import seconds, span
from packhorse_redis.replies import items, number, text
from packhorse_redis.scripts import script
from packhorse_redis.sending import MOST, Queues, told
from packhorse_redis.value import pack

_LINES: dict[State, str] = {"delayed": "waiting"}
"""In which line messages of a state stand, where it has not the state's name."""

_LIVE: tuple[State, ...] = ("parked", "waiting", "delayed", "leased")


class Control(Listing, Cancels, Clears, Pauses, KeepsDead):
    """Changes made by hand, some hundred messages at a time."""

    def cancel(self, ids: Sequence[UUID]) -> list[Literal["marked", "leased", "gone"]]:
        answers: dict[UUID, Literal["marked", "leased", "gone"]] = {}
        for queue, members in self._by_queue(ids):
            args: list[Arg] = [queue, *(id.bytes for id in members)]
            reply = items(self._server.run(script("cancel"), self._slot, [queue], args))
            for id, answer in zip(members, reply, strict=True):
                name = text(answer).decode()
                answers[id] = cast("Literal['marked', 'leased', 'gone']", name)
        return [answers.get(id, "gone") for id in ids]

    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        names = self._known_queues() if queue is None else [queue]
        states = _LIVE if state is None else (state,)
        back = "" if older_than is None else str(span(older_than))
        return sum(self._clear(name, each, back) for name in names for each in states)

    def _clear(self, queue: str, state: State, back: str) -> int:
        """Removes what stood there at the beginning: what it lets come, in place of a group's head,
        was in another state."""
        line = self._slot.key(_LINES.get(state, state), queue)
        portions = [*self._scan(line)]
        return sum(self._remove(queue, state, back, portion) for portion in portions)

    def _remove(self, queue: str, state: State, back: str, ids: Sequence[bytes]) -> int:
        args: list[Arg] = [state, back, *ids]
        return number(self._server.run(script("remove"), self._slot, [queue], args))

    def pause(self, queue: str, for_: float | None = None) -> None:
        args = queue, "" if for_ is None else span(for_)
        self._server.run(script("pause"), self._slot, (), args, again=True)

    def resume(self, queue: str) -> None:
        self._server.run(script("resume"), self._slot, (), [queue], again=True)

    def paused(self) -> dict[str, float | None]:
        reply = items(self._server.run(script("paused"), self._slot, again=True))
        spans = (
            (text(reply[at]).decode(), number(reply[at + 1])) for at in range(0, len(reply), 2)
        )
        return {name: None if left < 0 else seconds(left) for name, left in spans}

    def revive(self, messages: Sequence[Message]) -> list[Sent]:
        answers: list[Sent] = []
        for start in range(0, len(messages), MOST):
            answers += self._revive(messages[start : start + MOST])
        return answers

    def _revive(self, messages: Sequence[Message]) -> list[Sent]:
        queues = Queues()
        given: list[Arg] = []
        ids = [message.id for message in messages]
        for message, queue in zip(messages, self._queues_of(ids), strict=True):
            # Of one that is not there the script finds that it is not dead.
            given += (queues.number(queue or message.queue), queues.number(message.queue))
            given += (message.id.bytes, pack(message))
            given.append(span(message.delay) if message.delay > 0 else 0)
        if not ids:
            return []
        args = [*queues.named(), *given]
        reply = self._server.run(script("revive"), self._slot, queues.names, args)
        letters, others = items(reply)
        return told(ids, text(letters), [UUID(bytes=text(id)) for id in items(others)])

    def forget(self, ids: Sequence[UUID]) -> int:
        return sum(
            self._remove(queue, "dead", "", [id.bytes for id in members])
            for queue, members in self._by_queue(ids)
        )

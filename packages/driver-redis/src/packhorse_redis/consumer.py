"""Reserving, renewing and settling for one worker."""

import os
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct, convert
from msgspec.structs import replace

from packhorse.plugin import (
    CANCELLED,
    LOST,
    Consumer,
    Delivery,
    DriverSetup,
    Message,
    Outcome,
    Renewed,
    Reserved,
    Settled,
)
from packhorse_redis.connection import Arg, Reply
from packhorse_redis.hearing import Ear
from packhorse_redis.moments import seconds, span
from packhorse_redis.replies import items, number, text
from packhorse_redis.scripts import script
from packhorse_redis.sending import MOST
from packhorse_redis.server import Server
from packhorse_redis.settling import is_of, settle
from packhorse_redis.slot import Slot
from packhorse_redis.value import head_of, unpack

DEAF = 1.0
"""Seconds between two looks of a worker that cannot listen."""


class Seen(Struct, frozen=True):
    """What a look brought. `due` and `resumes`: seconds until more falls due, and a pause ends."""

    deliveries: list[Delivery]
    due: float | None
    resumes: float | None
    paused: frozenset[str]


class RedisConsumer(Consumer):
    """One worker's side of the driver."""

    def __init__(self, server: Server, slot: Slot, worker: str, setup: DriverSetup) -> None:
        self._server = server
        self._slot = slot
        self._worker = worker
        self._lease = setup.lease
        self._clock = setup.clock
        self._ear = Ear(server, slot)
        self._reserving = threading.Lock()
        self._woken = False
        self._closed = False

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        asked = tuple(dict.fromkeys(queues))
        try:
            with self._reserving:
                return self._reserve(asked, min(limit, MOST), time.monotonic() + wait)
        finally:
            if self._closed:
                self._stop_listening()

    def _reserve(self, queues: Sequence[str], limit: int, end: float) -> Reserved:
        ear = self._ear
        ear.clear_now_and_then()
        while True:
            left = end - time.monotonic()
            over = left <= 0 or self._woken or self._closed
            sleeps = not over and ear.hears(queues)
            seen = self._look(queues, limit, left if sleeps else 0.0)
            if seen.deliveries or over or self._woken or self._closed:
                if not seen.deliveries:
                    self._woken = False
                return Reserved(seen.deliveries, seen.due, seen.paused)
            if not sleeps:
                ear.listen(queues)  # and look again: what was sent in between was not heard
                if ear.hears(queues):
                    continue
            changes = [each for each in (seen.due, seen.resumes) if each is not None]
            if not ear.hears(queues):
                changes.append(DEAF)
            change = min(changes, default=left)
            if not ear.wait(min(change, left)) and change >= left:
                # Nothing was told and nothing has changed: there is no need to look.
                due = None if seen.due is None else max(0.0, seen.due - left)
                return Reserved((), due, seen.paused)

    def _look(self, queues: Sequence[str], limit: int, sleep: float) -> Seen:
        if not queues:
            return Seen([], None, None, frozenset())
        deadline = self._clock.monotonic() + self._lease
        name = os.urandom(8)
        args: list[Arg] = [limit, span(self._lease), name, self._worker, span(sleep), *queues]
        reply = items(self._server.run(script("reserve"), self._slot, queues, args))
        wall = seconds(number(reply[0]))
        deliveries: list[Delivery] = []
        for at in range(4, len(reply), 4):
            queue = queues[number(reply[at]) - 1]
            deliveries += _deliveries(queue, reply[at + 1 : at + 4], name, wall, deadline)
        due, resumes = number(reply[1]), number(reply[2])
        return Seen(
            deliveries,
            None if due < 0 else seconds(due),
            None if resumes < 0 else seconds(resumes),
            frozenset(text(name).decode() for name in items(reply[3])),
        )

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        answers: list[Settled] = []
        for start in range(0, len(outcomes), MOST):
            answers += settle(self._server, self._slot, outcomes[start : start + MOST])
        return answers

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        answers: list[Renewed] = []
        for start in range(0, len(deliveries), MOST):
            answers += self._renew(deliveries[start : start + MOST])
        return answers

    def _renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        tokens: dict[str, list[int]] = {}
        for at, delivery in enumerate(deliveries):
            if is_of(delivery.token, delivery.message.id):
                tokens.setdefault(delivery.message.queue, []).append(at)
        answers: list[Renewed] = [LOST] * len(deliveries)
        if not tokens:
            return answers
        deadline = self._clock.monotonic() + self._lease
        args: list[Arg] = [span(self._lease)]
        args += [b"".join(deliveries[at].token for at in places) for places in tokens.values()]
        letters = self._server.run(script("renew"), self._slot, [*tokens], args, again=True)
        places = [at for each in tokens.values() for at in each]
        for at, letter in zip(places, text(letters), strict=True):
            if letter != 48:  # "0"
                answers[at] = CANCELLED if letter == 99 else deadline  # "c"
        return answers

    def wake(self) -> None:
        self._woken = True
        self._ear.wake()

    def close(self) -> None:
        self._closed = True
        self._ear.wake()
        self._stop_listening()

    def _stop_listening(self) -> None:
        """Unless a reservation is under way, which may hang: that does it at its end."""
        if self._reserving.acquire(blocking=False):
            self._ear.close()
            self._reserving.release()


def _deliveries(
    queue: str, given: Sequence[Reply], name: bytes, wall: float, deadline: float
) -> list[Delivery]:
    """What a queue gave: ids in one, values, and facts of some: place, deliveries, marks."""
    joined, values, told = text(given[0]), items(given[1]), items(given[2])
    keys = [joined[at : at + 16] for at in range(0, len(joined), 16)]
    ids = convert(keys, list[UUID])
    head = head_of(queue)
    start = len(head)
    facts = {
        number(told[at]) - 1: (number(told[at + 1]), text(told[at + 2]))
        for at in range(0, len(told), 3)
    }
    deliveries = []
    for at, (id, key, value) in enumerate(zip(ids, keys, values, strict=True)):
        if value is None:  # somebody has removed keys by hand
            continue
        content = text(value)
        plain = content.startswith(head)
        message = Message(id, queue, content[start:]) if plain else unpack(id, content)
        if not facts or at not in facts:
            deliveries.append(Delivery(message, key + name, 1, wall, deadline))
        else:
            count, marks = facts[at]
            deliveries.append(_marked(message, key + name, count, wall, deadline, marks))
    return deliveries


def _marked(
    message: Message, token: bytes, count: int, wall: float, deadline: float, marks: bytes
) -> Delivery:
    if b"g" in marks:
        message = replace(message, group=None)
    cancelled, superseded = b"c" in marks, b"s" in marks
    return Delivery(message, token, count, wall, deadline, None, cancelled, superseded)

"""Reserving, renewing and settling for one worker."""

import threading
import time
from collections.abc import Sequence

from packhorse.plugin import (
    LOST,
    Capabilities,
    Clock,
    Consumer,
    Dead,
    Delivery,
    Done,
    Outcome,
    Renewed,
    Reserved,
    Settled,
    Unsupported,
)
from packhorse_beanstalkd.lanes import Held, Lanes
from packhorse_beanstalkd.losses import history, question
from packhorse_beanstalkd.pool import Pool
from packhorse_beanstalkd.reserving import Catch, take, taken
from packhorse_beanstalkd.settling import Ending, settle
from packhorse_beanstalkd.tubes import tube_of
from packhorse_beanstalkd.waiting import Bell, Waiter
from packhorse_beanstalkd.wire import Reply, Wire

MOST = 16
"""Connections of a consumer. More are needed only where so many jobs came one by one and all run on;
then it looks again every `TICK` seconds instead of waiting."""

TICK = 0.05


class BeanstalkdConsumer(Consumer):
    """One worker's side of the driver."""

    def __init__(self, pool: Pool, capabilities: Capabilities, clock: Clock, name: str) -> None:
        self._lanes = Lanes()
        self._pool = pool
        self._capabilities = capabilities
        self._clock = clock
        self._connection = name
        self._reserving = threading.Lock()
        self._bell = Bell()
        self._waiter = Waiter(pool, self._bell)
        self._closed = False
        self._lately = 0

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        if not queues or limit < 1:
            return Reserved()
        with self._reserving:
            return self._reserve(list(dict.fromkeys(queues)), limit, wait)

    def _reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        end = time.monotonic() + wait
        while not self._closed:
            reserved = self._take(queues, limit)
            left = end - time.monotonic()
            if reserved.deliveries:
                return reserved
            if self._bell.rung or left <= 0:
                self._bell.silence()
                return reserved
            wire = self._free()
            if wire is None:
                self._bell.wait(min(left, TICK))
                continue
            came = self._wait(wire, queues, left)
            if came is None:
                self._bell.silence()
            return Reserved([] if came is None else [came], None, reserved.paused)
        return Reserved()

    def _take(self, queues: Sequence[str], limit: int) -> Reserved:
        whole = self._lanes.whole()
        wire = whole[0] if whole else self._connect()
        with wire.lock:
            asked = self._clock.monotonic()
            catch = take(wire, queues, limit, self._lately)
            self._lately = len(catch.taken)
        return Reserved(self._deliveries(wire, catch, asked), None, catch.paused)

    def _wait(self, wire: Wire, queues: Sequence[str], seconds: float) -> Delivery | None:
        by_tube = {tube_of(queue): queue for queue in queues}
        with wire.lock:
            reply = self._waiter.wait(wire, by_tube, seconds)
            if reply is None:
                return None
            # When it was given is not known, so its lease is begun anew.
            asked = self._clock.monotonic()
            job = int(reply.values[0])
            touched, told = wire.flight([b"touch %d\r\n" % job, question(job)])
        if touched.word != b"TOUCHED" or told.word != b"OK":
            return None
        queue = by_tube[_tube(told)]
        catch = Catch([taken(queue, reply)], {job: history(told)}, frozenset())
        return next(iter(self._deliveries(wire, catch, asked)), None)

    def _deliveries(self, wire: Wire, catch: Catch, asked: float) -> list[Delivery]:
        histories = catch.histories
        there = [each for each in catch.taken if histories.get(each.job, True) is not None]
        leases = []
        counts = []
        for each in there:
            told = histories.get(each.job)
            leases.append((each.job, each.ttr or (1 if told is None else told.ttr)))
            counts.append(1 if told is None else told.deliveries)
        now = self._clock.wall()
        return [
            Delivery(each.message, held.token, deliveries, now, held.deadline)
            for each, deliveries, held in zip(
                there, counts, self._lanes.hold(wire, leases, asked), strict=True
            )
        ]

    def _free(self) -> Wire | None:
        """A connection that owns nothing, to wait on."""
        wire = self._lanes.free(self._clock.monotonic())
        if wire is None and len(self._lanes.wires) < MOST:
            return self._connect()
        return wire

    def _connect(self) -> Wire:
        wire = self._pool.connect()
        self._lanes.wires.append(wire)
        return wire

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        if any(isinstance(one, Done | Dead) and one.follow for one in outcomes):
            raise Unsupported(
                f"connection {self._connection!r}: beanstalkd cannot send follow-ups together with a "
                "settlement; send them before"
            )
        answers: list[Settled] = ["gone"] * len(outcomes)
        by_wire: dict[Wire, dict[bytes, int]] = {}
        held_by: dict[bytes, Held] = {}
        for place, outcome in enumerate(outcomes):
            token = outcome.delivery.token
            held = self._lanes.held(token)
            if held is not None and token not in held_by:
                held_by[token] = held
                by_wire.setdefault(held.wire, {})[token] = place
        for wire, places in by_wire.items():
            endings = [Ending(outcomes[place], held_by[token]) for token, place in places.items()]
            with wire.lock:
                settled = settle(wire, endings, self._clock.monotonic(), self._capabilities)
            self._lanes.end(
                each.held
                for each, answer in zip(endings, settled, strict=True)
                if answer != "failed"
            )
            for place, answer in zip(places.values(), settled, strict=True):
                answers[place] = answer
        return answers

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        answers: list[Renewed] = [LOST] * len(deliveries)
        by_wire: dict[Wire, list[tuple[int, Held]]] = {}
        for place, delivery in enumerate(deliveries):
            if (held := self._lanes.held(delivery.token)) is not None:
                by_wire.setdefault(held.wire, []).append((place, held))
        for wire, places in by_wire.items():
            with wire.lock:
                asked = self._clock.monotonic()
                replies = wire.flight([b"touch %d\r\n" % held.job for _, held in places])
            for (place, held), reply in zip(places, replies, strict=True):
                if reply.word == b"TOUCHED":
                    held.deadline = answers[place] = asked + held.ttr
                else:
                    self._lanes.end([held])
        return answers

    def wake(self) -> None:
        self._bell.ring()

    def close(self) -> None:
        """Waits for a reservation that is under way; what owns jobs stays open for as long as it does."""
        self._closed = True
        self._bell.ring()
        with self._reserving:
            self.is_over()

    def is_over(self) -> bool:
        """Whether it is closed and owns nothing more; closes what owns nothing."""
        while self._closed and (wire := self._lanes.free(self._clock.monotonic())) is not None:
            wire.close()
        over = self._closed and not self._lanes.whole()
        if over:
            self._bell.close()
        return over

    def abandon(self) -> None:
        """Ends it with all it holds."""
        self._closed = True
        self._bell.ring()
        for wire in self._lanes.whole():
            wire.close()
        self._bell.close()


def _tube(stats: Reply) -> bytes:
    """The tube that a job's statistics name."""
    (line,) = [each for each in stats.body.splitlines() if each.startswith(b"tube: ")]
    return line[6:].strip(b'"')

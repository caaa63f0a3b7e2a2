"""What people do to queues: pausing them, and bringing back what is buried."""

from packhorse.plugin import Buries, Pauses
from packhorse_beanstalkd.frame import LONGEST
from packhorse_beanstalkd.pool import Pool
from packhorse_beanstalkd.sending import whole_seconds
from packhorse_beanstalkd.tubes import queue_of, tube_of
from packhorse_beanstalkd.wire import Wire, numbers

FOREVER = 2**31
"""Seconds: a pause that has longer to go than this is one until `resume`."""


class Control(Pauses, Buries):
    """The abilities of the driver."""

    _pool: Pool

    def pause(self, queue: str, for_: float | None = None) -> None:
        tube = tube_of(queue)
        seconds = LONGEST if for_ is None else whole_seconds(for_)
        with self._pool.wire() as wire:
            # A tube that nobody uses and that holds nothing is not there to be paused.
            wire.flight([*wire.use(tube), b"pause-tube %b %d\r\n" % (tube, seconds)])

    def resume(self, queue: str) -> None:
        with self._pool.wire() as wire:
            wire.flight([b"pause-tube %b 0\r\n" % tube_of(queue)])

    def paused(self) -> dict[str, float | None]:
        with self._pool.wire() as wire:
            tubes = _told(wire, _all(wire))
        paused: dict[str, float | None] = {}
        for tube, told in tubes.items():
            if told.get(b"pause"):
                # Whole seconds, rounded down: one more is the least that is no less than the truth.
                left = min(told[b"pause"], told[b"pause-time-left"] + 1)
                paused[queue_of(tube)] = None if left > FOREVER else float(left)
        return paused

    def buried(self, queue: str | None) -> int:
        with self._pool.wire() as wire:
            return sum(_buried(wire, queue).values())

    def exhume(self, queue: str | None) -> int:
        exhumed = 0
        with self._pool.wire() as wire:
            # Where nothing is buried, `kick` would make delayed jobs wait no longer.
            for tube, count in _buried(wire, queue).items():
                if count:
                    (reply,) = wire.flight([*wire.use(tube), b"kick %d\r\n" % count])[-1:]
                    exhumed += int(reply.values[0])
        return exhumed


def _all(wire: Wire) -> list[bytes]:
    return [tube.encode() for tube in wire.ask(lambda client: client.tubes())]


def _told(wire: Wire, tubes: list[bytes]) -> dict[bytes, dict[bytes, int]]:
    """The server's numbers on tubes; none for one that is not there."""
    replies = wire.flight([b"stats-tube %b\r\n" % tube for tube in tubes])
    return {tube: numbers(reply.body) for tube, reply in zip(tubes, replies, strict=True)}


def _buried(wire: Wire, queue: str | None) -> dict[bytes, int]:
    tubes = _all(wire) if queue is None else [tube_of(queue)]
    told = _told(wire, tubes)
    return {tube: count.get(b"current-jobs-buried", 0) for tube, count in told.items()}

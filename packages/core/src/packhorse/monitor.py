"""Measures queues against limits, and tells of those that are over: for cron, nagios and the like."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse import events
from packhorse.driver.abilities import Lists

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection


class Limits(Struct, frozen=True):
    """How many jobs may wait, and for how many seconds the oldest may; None: that is not looked at."""

    waiting: int | None = None
    oldest: float | None = None


class Measured(Struct, frozen=True):
    """A queue: how many jobs wait to run, and for how many seconds the first of them has been due.

    `oldest` is None if none is due, or was not asked for. `busy` and `late` say which limit is passed.
    """

    connection: str
    queue: str
    waiting: int
    oldest: float | None
    busy: bool
    late: bool

    @property
    def over(self) -> bool:
        return self.busy or self.late


def measure(
    app: "Packhorse", connection: "Connection", queues: Sequence[str] | None, limits: Limits
) -> list[Measured]:
    """Measures these queues, or all that hold anything; emits `QueueBusy` and `LongWait`.

    Delayed jobs do not wait. Raises `Unsupported` where the broker cannot tell how old jobs are and
    that is asked for, `ConnectionLost` if it is away.
    """
    found = list(_measured(connection, queues, limits))
    for one in found:
        if one.busy and limits.waiting is not None and app.bus.hears(events.QueueBusy):
            app.bus.emit(
                events.QueueBusy(
                    connection=one.connection,
                    queue=one.queue,
                    waiting=one.waiting,
                    limit=limits.waiting,
                )
            )
        if one.late and limits.oldest is not None and app.bus.hears(events.LongWait):
            app.bus.emit(
                events.LongWait(
                    connection=one.connection,
                    queue=one.queue,
                    oldest=one.oldest or 0.0,
                    limit=limits.oldest,
                )
            )
    return found


def _measured(
    connection: "Connection", queues: Sequence[str] | None, limits: Limits
) -> Iterator[Measured]:
    driver: object = connection.driver
    ages = None if limits.oldest is None else connection.able(Lists, "tell how old jobs are")
    if queues is None:
        known = driver.queues() if isinstance(driver, Lists) else []
        queues = sorted({*known, connection.settings.queue})
    for queue in queues:
        counts = connection.driver.counts(queue, max(10_000, (limits.waiting or 0) + 1))
        waiting = counts.ready + counts.parked
        oldest = None if ages is None else ages.oldest(queue)
        yield Measured(
            connection.name,
            queue,
            waiting,
            oldest,
            busy=limits.waiting is not None and waiting > limits.waiting,
            late=limits.oldest is not None and oldest is not None and oldest > limits.oldest,
        )

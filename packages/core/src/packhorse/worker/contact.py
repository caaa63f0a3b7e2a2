"""The worker's consumer: notes when the broker last answered, and can be opened anew under its users."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Delivery, Renewed, Reserved
from packhorse.driver.outcome import Outcome, Settled
from packhorse.errors import ConnectionLost
from packhorse.worker.board import Board

if TYPE_CHECKING:
    from packhorse.connection import Connection

A = TypeVar("A")

_log = logging.getLogger("packhorse.worker")


class Contact(Consumer):
    """Passes on to a consumer of the connection's driver; opening it raises `ConnectionLost`.

    `answered` is the monotonic moment of the last answer, `patience` for how many seconds after one
    the worker counts as well, which stands on the board too.
    """

    def __init__(
        self, connection: "Connection", worker: str, patience: float, board: Board | None
    ) -> None:
        self._connection = connection
        self._worker = worker
        self.patience = patience
        self._board = board
        self._replaced: list[Driver] = []
        self._consumer = connection.driver.consumer(worker)
        self.note()

    def note(self) -> None:
        """The broker has answered, or there is nothing to ask it."""
        self.answered = now = time.monotonic()
        if self._board is not None:
            self._board.say_well(now + self.patience)

    @property
    def well(self) -> bool:
        """Whether the broker has answered lately."""
        return time.monotonic() < self.answered + self.patience

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        return self._call(lambda consumer: consumer.reserve(queues, limit, wait))

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        return self._call(lambda consumer: consumer.settle(outcomes))

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        return self._call(lambda consumer: consumer.renew(deliveries))

    def wake(self) -> None:
        self._consumer.wake()

    def close(self) -> None:
        self._consumer.close()

    def _call(self, verb: Callable[[Consumer], A]) -> A:
        consumer = self._consumer
        try:
            answer = verb(consumer)
        except ConnectionLost:
            raise
        except Exception as error:
            if consumer is self._consumer:
                raise
            raise ConnectionLost("the connection was opened anew during the call") from error
        self.note()
        return answer

    def rebuild(self) -> None:
        """Opens another driver and consumer, and closes those until now, which ends calls that hang.

        It may take as long as the broker likes. What cannot be opened is left as it was.
        """
        name = self._connection.name
        if self._connection.driver.local:
            return  # what it holds would be gone with it
        _log.warning("connection %r: nothing has succeeded for long; it is opened anew", name)
        before = self._connection.reopen()
        if before is not None:
            self._replaced.append(before)
        try:
            fresh = self._connection.driver.consumer(self._worker)
        except Exception as error:
            _log.warning("connection %r: %s", name, error)
            return
        consumer, self._consumer = self._consumer, fresh
        with suppress(Exception):
            consumer.close()
        while self._replaced:
            with suppress(Exception):
                self._replaced.pop().close()

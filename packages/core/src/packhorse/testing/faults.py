"""A driver that fails on command, around any other."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import TypeVar, cast

from msgspec.structs import replace

from packhorse.driver.contract import Driver
from packhorse.driver.message import Reserved
from packhorse.errors import ConnectionLost
from packhorse.testing.forwarding import ForwardingDriver

T = TypeVar("T")

Call = Callable[[], object]
Fault = Callable[[Call], object]


class FaultyDriver(ForwardingDriver):
    """Wraps a driver; each command below strikes the next `times` calls of a verb, then is used up.

    A verb is the name of a method: of the driver, of its abilities or of its consumers. Commands
    for one verb strike one after the other, in the order in which they were given.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self._lock = threading.Lock()
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def refuse(self, verb: str, times: int = 1) -> None:
        """The call raises `ConnectionLost` and has no effect."""

        def fault(call: Call) -> object:
            raise ConnectionLost(f"{verb} was told to fail before its effect")

        self._add(verb, fault, times)

    def lose_reply(self, verb: str, times: int = 1) -> None:
        """The call has its effect and raises `ConnectionLost`."""

        def fault(call: Call) -> object:
            call()
            raise ConnectionLost(f"{verb} was told to fail after its effect")

        self._add(verb, fault, times)

    def delay(self, verb: str, seconds: float, times: int = 1) -> None:
        """The call takes `seconds` longer, before its effect."""

        def fault(call: Call) -> object:
            time.sleep(seconds)
            return call()

        self._add(verb, fault, times)

    def repeat_delivery(self, times: int = 1) -> None:
        """The next reservation has each of its deliveries twice, as a careless broker would."""

        def fault(call: Call) -> object:
            reserved = cast(Reserved, call())
            return replace(reserved, deliveries=[*reserved.deliveries, *reserved.deliveries])

        self._add("reserve", fault, times)

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        with self._lock:
            waiting = self._faults[verb]
            fault = waiting.popleft() if waiting else None
        return call() if fault is None else cast(T, fault(call))

    def _add(self, verb: str, fault: Fault, times: int) -> None:
        with self._lock:
            self._faults[verb].extend([fault] * times)

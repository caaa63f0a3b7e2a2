"""Stands for the core under a driver that runs what it is sent: remembers, and does as it is told."""

import threading
from collections.abc import Sequence

from packhorse.driver.message import Message


class Ran:
    """A `Runner`. `after` says what is to run next, once for each body."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.buried: list[tuple[bytes, str]] = []
        self.threads: set[threading.Thread] = set()
        self.after: dict[bytes, list[Message]] = {}
        self.gates: dict[bytes, threading.Event] = {}
        self.started = threading.Semaphore(0)

    def run(self, message: Message, /, *, quiet: bool = False) -> Sequence[Message]:
        assert quiet
        self.bodies.append(message.body)
        self.threads.add(threading.current_thread())
        self.started.release()
        if message.body in self.gates:
            assert self.gates[message.body].wait(10)
        if message.body == b"broken":
            raise LookupError("the core itself is broken")
        return self.after.pop(message.body, [])

    def bury(self, message: Message, reason: str, /) -> Sequence[Message]:
        self.buried.append((message.body, reason))
        return self.after.pop(b"buried " + message.body, [])

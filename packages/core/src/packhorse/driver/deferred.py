"""`deferred://`: what is sent runs after the response of the request it was sent in, or at a block's end.

Outside of both it runs at once, in the thread that sends it. A message with a delay, one that is to
be repeated after one, and whatever would block an event loop, goes to a thread of this process, as
with `background://`.
"""

import logging
import sys
from collections import deque
from collections.abc import Sequence
from typing import Self

from packhorse.driver import limits
from packhorse.driver.contract import DriverSetup
from packhorse.driver.crewed import CrewedDriver
from packhorse.driver.message import Message, Sent
from packhorse.driver.url import Url
from packhorse.driver.waiting import here

_log = logging.getLogger("packhorse.inline")


class DeferredDriver(CrewedDriver):
    """Lets messages wait for the end of what they are sent in."""

    scheme = "deferred"

    def __init__(self, setup: DriverSetup) -> None:
        super().__init__(setup)
        self._runner = setup.runner()

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        url.expect([])
        return cls(setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        limits.check(messages, self.capabilities, self._connection)
        waiting = here()
        if waiting is None or not waiting.take(self, messages):
            for message in messages:
                self.run(message)
        return [Sent(message.id, "stored") for message in messages]

    def run(self, message: Message) -> None:
        """Runs a message and what follows it, but for what comes later."""
        if message.delay or _on_event_loop():
            self._crew.put([message])
            return
        line = deque([message])
        while line:
            one = line.popleft()
            try:
                after = self._runner.run(one, quiet=True)
            except Exception:  # what a job raises never comes here
                _log.exception("message %s on %r could not be run", one.id, one.queue)
                continue
            line.extend(each for each in after if not each.delay)
            later = [each for each in after if each.delay]
            self._crew.put(
                [each for each in later if each.id != one.id],
                [each for each in later if each.id == one.id],
            )

    def bury(self, message: Message) -> None:
        """Keeps a message that will not run among the failed jobs, or tells of it in the log."""
        for one in self._runner.bury(message, "interrupted before it was to start"):
            self._crew.put([one])


def _on_event_loop() -> bool:
    """Whether an event loop runs in this thread; where asyncio was never imported, none does."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None

"""`background://`: threads of this process run what is sent, each message when it falls due.

Nothing is stored. What was sent is run to its end, repeats included, when the process ends in an
orderly way: then repeats come at once, and what was to start later is kept as a failed job. A crash
loses all that has not ended.
"""

from collections.abc import Sequence
from typing import Self

from packhorse.driver import limits
from packhorse.driver.contract import DriverSetup
from packhorse.driver.crewed import CrewedDriver
from packhorse.driver.message import Message, Sent
from packhorse.driver.url import Url
from packhorse.errors import ConfigError

THREADS = 4
"""How many run at once where the URL does not say; they are started when there is something to run."""


class BackgroundDriver(CrewedDriver):
    """Hands what is sent to a crew of threads."""

    scheme = "background"

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        url.expect(["threads"])
        threads = url.option("threads", int, THREADS)
        if threads < 1:
            raise ConfigError(f"option 'threads' of {url} must be 1 or more, not {threads}")
        return cls(setup, threads)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        limits.check(messages, self.capabilities, self._connection)
        self._crew.put(messages)
        return [Sent(message.id, "stored") for message in messages]

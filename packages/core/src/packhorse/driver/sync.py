"""`sync://`: runs each message at once, in the thread that sends it; there is no broker.

Delays are ignored: a job that is to run later runs now, and so does a repeat. What a job's last
attempt raises goes to whoever sent it, and what was to be sent after that one is not run.
"""

from collections import deque
from collections.abc import Sequence
from typing import NoReturn, Self

from packhorse.driver import limits
from packhorse.driver.contract import Capabilities, Driver, DriverSetup
from packhorse.driver.message import Counts, Message, Sent
from packhorse.driver.url import Url
from packhorse.errors import ConfigError


class SyncDriver(Driver):
    """Sends a message by running it."""

    capabilities = Capabilities(known_ids=False)
    has_workers = False

    def __init__(self, setup: DriverSetup) -> None:
        self._connection = setup.connection
        self._runner = setup.runner()

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        url.expect([])
        return cls(setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        """Runs messages in their order; raises what the job raised."""
        limits.check(messages, self.capabilities, self._connection)
        sent = []
        for message in messages:
            line = deque([message])
            while line:
                line.extend(self._runner.run(line.popleft()))
            sent.append(Sent(message.id, "stored"))
        return sent

    def consumer(self, worker: str) -> NoReturn:
        """Raises `ConfigError`: a worker would wait for ever."""
        raise ConfigError(
            f"connection {self._connection!r} runs each job where it is dispatched (sync://), so there "
            "is nothing to work on; name another connection"
        )

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        return Counts()

    def close(self) -> None:
        """There is nothing to give back."""

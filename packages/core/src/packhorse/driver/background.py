"""`background://`: threads of this process run what is sent, each message when it falls due.

Nothing is stored. What was sent is run to its end, repeats included, when the process ends in an
orderly way: then repeats come at once, and what was to start later is kept as a failed job. A crash
loses all that has not ended.
"""

from collections.abc import Sequence
from typing import NoReturn, Self

from packhorse.driver import limits
from packhorse.driver.contract import Capabilities, Driver, DriverSetup
from packhorse.driver.crew import Crew
from packhorse.driver.message import Counts, Message, Sent
from packhorse.driver.url import Url
from packhorse.errors import ConfigError

THREADS = 4
"""How many run at once where the URL does not say; they are started when there is something to run."""


class BackgroundDriver(Driver):
    """Hands what is sent to a crew of threads."""

    capabilities = Capabilities(known_ids=False)
    local = True

    def __init__(self, setup: DriverSetup, threads: int) -> None:
        self._connection = setup.connection
        self._crew = Crew(setup, threads)

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

    def consumer(self, worker: str) -> NoReturn:
        """Raises `ConfigError`: a worker would wait for ever."""
        raise ConfigError(
            f"connection {self._connection!r} runs its jobs in the processes that dispatch them "
            "(background://), so there is nothing to work on; name another connection"
        )

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        """What this process has; others have their own."""
        return self._crew.counts(queue, cap)

    def after_fork(self) -> None:
        self._crew.after_fork()

    def close(self) -> None:
        """Runs what is left, as at the end of the process."""
        self._crew.finish()

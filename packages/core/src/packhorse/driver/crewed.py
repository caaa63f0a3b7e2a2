"""What the drivers have in common that run, in this process and later, what they are sent."""

from typing import ClassVar, NoReturn

from packhorse.driver.contract import Capabilities, Driver, DriverSetup
from packhorse.driver.crew import Crew
from packhorse.driver.message import Counts
from packhorse.errors import ConfigError


class CrewedDriver(Driver):
    """Has a crew of threads for what falls due later; other processes see nothing of it."""

    capabilities = Capabilities(known_ids=False)
    has_workers = False
    local = True
    scheme: ClassVar[str]

    def __init__(self, setup: DriverSetup, threads: int = 1) -> None:
        self._connection = setup.connection
        self._crew = Crew(setup, threads)

    def consumer(self, worker: str) -> NoReturn:
        """Raises `ConfigError`: a worker would wait for ever."""
        raise ConfigError(
            f"connection {self._connection!r} runs its jobs in the processes that dispatch them "
            f"({self.scheme}://), so there is nothing to work on; name another connection"
        )

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        """What this process's crew has; others have their own."""
        return self._crew.counts(queue, cap)

    def after_fork(self) -> None:
        self._crew.after_fork()

    def close(self) -> None:
        """Runs what the crew has left, as at the end of the process."""
        self._crew.finish()

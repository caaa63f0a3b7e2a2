"""`null://`: takes every message and drops it, for switching a queue off."""

from collections.abc import Sequence
from typing import NoReturn, Self

from packhorse.driver.contract import Capabilities, Driver, DriverSetup
from packhorse.driver.message import Counts, Message, Sent
from packhorse.driver.url import Url
from packhorse.errors import ConfigError


class NullDriver(Driver):
    """Drops what is sent; no two live messages share a key or a group, for none is live."""

    capabilities = Capabilities(known_ids=False, unique=True, groups=True)
    has_workers = False

    def __init__(self, setup: DriverSetup) -> None:
        self._connection = setup.connection

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        url.expect([])
        return cls(setup)

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return [Sent(message.id, "stored") for message in messages]

    def consumer(self, worker: str) -> NoReturn:
        """Raises `ConfigError`: a worker would wait for ever."""
        raise ConfigError(
            f"connection {self._connection!r} drops every job (null://), so there is nothing to work "
            "on; name another connection"
        )

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        return Counts()

    def close(self) -> None:
        """There is nothing to give back."""

"""A server for the tests of this folder, and drivers on it."""

from collections.abc import Callable, Iterator

import pytest

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.plugin import DriverSetup, Url
from packhorse_redis.driver import RedisDriver
from tests.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

OpenDriver = Callable[..., RedisDriver]


@pytest.fixture
def open_driver(redis_server: RedisServer) -> Iterator[OpenDriver]:
    """Opens drivers on the emptied server."""
    opened: list[RedisDriver] = []
    url = redis_server.emptied()

    def open_one(
        lease: float = 30.0, clock: Clock = SYSTEM_CLOCK, **options: object
    ) -> RedisDriver:
        setup = DriverSetup(lease=lease, clock=clock)
        opened.append(RedisDriver.open(Url.parse(url, options), setup))
        return opened[-1]

    yield open_one
    for driver in opened:
        driver.close()


@pytest.fixture
def driver(open_driver: OpenDriver) -> RedisDriver:
    """A driver on the emptied server."""
    return open_driver()

"""Redis keeps every promise of driver and store, on a real server.

Leases and delays are of the server's clock. The tests set that clock on, in the place where the driver
keeps by how much it is ahead of the server's TIME.
"""

import time
from collections.abc import Iterator

import pytest

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.url import Url
from packhorse.store.contract import Store
from packhorse.testing import DriverSuite, StoreSuite
from packhorse_redis.driver import RedisDriver
from packhorse_redis.store import RedisStore
from tests.redis_server import RedisServer


class AheadClock:
    """This machine's clocks, the monotonic one set on as the server's is."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


class TestRedis(DriverSuite):
    lease = 30.0
    clock = AheadClock()

    @pytest.fixture
    def driver(self, redis_server: RedisServer) -> Iterator[Driver]:
        redis_server.ask("FLUSHALL")
        self.server = redis_server
        setup = DriverSetup(lease=self.lease, clock=self.clock)
        driver = RedisDriver.open(Url.parse(redis_server.url), setup)
        yield driver
        driver.close()

    def pass_time(self, driver: Driver, seconds: float) -> None:
        self.clock.ahead += seconds
        self.server.ask("HINCRBY", "{packhorse}:clock", "ahead", str(round(seconds * 1e6)))


class TestRedisStore(StoreSuite):
    ttl = 0.3

    @pytest.fixture
    def store(self, redis_server: RedisServer) -> Iterator[Store]:
        redis_server.ask("FLUSHALL")
        store = RedisStore(Url.parse(redis_server.url), DriverSetup())
        yield store
        store.close()

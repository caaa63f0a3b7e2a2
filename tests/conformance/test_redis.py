"""Redis keeps every promise of driver and store, on a real server."""

from collections.abc import Iterator

import pytest

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.url import Url
from packhorse.store.contract import Store
from packhorse.testing import DriverSuite, StoreSuite
from packhorse_redis.driver import RedisDriver
from packhorse_redis.store import RedisStore
from tests.redis_clock import AheadClock
from tests.redis_server import RedisServer


class TestRedis(DriverSuite):
    lease = 30.0
    clock = AheadClock()

    @pytest.fixture
    def driver(self, redis_server: RedisServer) -> Iterator[Driver]:
        self.clock.server = redis_server
        setup = DriverSetup(lease=self.lease, clock=self.clock)
        driver = RedisDriver.open(Url.parse(redis_server.emptied()), setup)
        yield driver
        driver.close()

    def pass_time(self, driver: Driver, seconds: float) -> None:
        self.clock.advance(seconds)


class TestRedisStore(StoreSuite):
    ttl = 0.3

    @pytest.fixture
    def store(self, redis_server: RedisServer) -> Iterator[Store]:
        store = RedisStore(Url.parse(redis_server.emptied()), DriverSetup())
        yield store
        store.close()

"""Redis against the models that memory is held to."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.plugin import DriverSetup, Url
from packhorse_redis.driver import RedisDriver
from tests.redis_clock import AheadClock
from tests.redis_server import RedisServer
from tests.unit.driver import test_model as plain
from tests.unit.driver.keys_model import LEASE
from tests.unit.driver.test_keys_model import agree, steps

CLOCK = AheadClock()
ADVANCES = [3.5, 10.5, 31.5]
"""No sum of these is within half a second of a delay, a window or a lease: real time passes besides."""


@pytest.fixture(scope="module")
def redis(redis_server: RedisServer) -> Iterator[RedisDriver]:
    """One for all examples: each has queues of its own."""
    CLOCK.server = redis_server
    setup = DriverSetup(lease=LEASE, clock=CLOCK)
    driver = RedisDriver.open(Url.parse(redis_server.emptied()), setup)
    yield driver
    driver.close()


@pytest.mark.backend("redis")
@settings(max_examples=100)
@given(taken=st.lists(steps(ADVANCES), max_size=40))
def test_keys_and_groups_are_as_the_model_says(
    redis: RedisDriver, taken: list[tuple[str, object]]
) -> None:
    agree(redis, taken, CLOCK)


@pytest.mark.backend("redis")
@settings(max_examples=100)
@given(taken=st.lists(plain.STEPS, max_size=60))
def test_leases_and_moments_are_as_the_model_says(
    redis: RedisDriver, redis_server: RedisServer, taken: list[tuple[str, int]]
) -> None:
    redis_server.emptied()
    plain.agree(redis, CLOCK, taken)

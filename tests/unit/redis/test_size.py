"""What a waiting job costs on the server, and how far a long queue reaches."""

import pytest

from packhorse.plugin import Done
from packhorse_redis.driver import RedisDriver
from tests.redis_server import RedisServer
from tests.unit.redis.conftest import OpenDriver
from tests.unit.redis.messages import messages, take


def used(server: RedisServer) -> int:
    """Bytes that the server has allocated."""
    (line,) = [each for each in server.info("memory") if each.startswith("used_memory:")]
    return int(line.partition(":")[2])


def test_a_waiting_job_takes_480_bytes_at_most(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    driver.send(messages(b"first"))
    before, count = used(redis_server), 20_000
    driver.send(messages(*[b"x" * 186] * count))
    assert (used(redis_server) - before) / count <= 480


def test_what_is_done_leaves_nothing(driver: RedisDriver, redis_server: RedisServer) -> None:
    consumer = driver.consumer("w")
    driver.send(messages(*[b"x"] * 100))
    assert set(consumer.settle([Done(each) for each in take(consumer)])) == {"applied"}
    left = {"{packhorse}:clock", "{packhorse}:queues"}
    assert redis_server.ask("DBSIZE") == b":%d" % len(left)
    assert driver.queues() == []
    assert redis_server.ask("DBSIZE") == b":1"
    consumer.close()


@pytest.mark.slow
def test_a_crashed_job_is_first_in_line_behind_a_long_backlog(open_driver: OpenDriver) -> None:
    driver = open_driver(lease=0.3)
    crashed = driver.consumer("crashed")
    driver.send(messages(b"crashed"))
    assert len(take(crashed)) == 1
    driver.send(messages(*[b"x"] * 200_000))
    reserved = driver.consumer("w").reserve(["q"], 1, 5.0)
    while reserved.deliveries and reserved.deliveries[0].message.body == b"x":
        reserved = driver.consumer("w").reserve(["q"], 1, 5.0)
    assert [each.message.body for each in reserved.deliveries] == [b"crashed"]

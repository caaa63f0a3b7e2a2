"""The server's clock: it never runs back, and its large numbers stay exact."""

import time

import pytest

from packhorse.plugin import Done, Return
from packhorse_redis.driver import RedisDriver
from tests.redis_server import RedisServer
from tests.unit.redis.conftest import OpenDriver
from tests.unit.redis.messages import messages, take

CLOCK = "{packhorse}:clock"
HOUR = 3_600 * 1_000_000


def set_back(server: RedisServer) -> None:
    """TIME is an hour behind what was handed out, as after a change of the server's time."""
    server.ask("HSET", CLOCK, "last", str(time.time_ns() // 1_000 + HOUR))


def test_a_clock_that_is_set_back_holds_nothing_up(
    open_driver: OpenDriver, redis_server: RedisServer
) -> None:
    driver = open_driver(lease=0.2)
    consumer = driver.consumer("w")
    set_back(redis_server)
    driver.send([*messages(b"held"), *messages(b"late", delay=0.3)])
    (held,) = take(consumer)
    driver.send(messages(b"new"))
    (new,) = take(consumer)
    assert [held.message.body, new.message.body] == [b"held", b"new"]
    assert consumer.settle([Done(new)]) == ["applied"]
    time.sleep(0.4)
    assert [each.message.body for each in take(consumer)] == [b"held", b"late"]
    assert consumer.settle([Done(held)]) == ["gone"]
    consumer.close()


def test_listings_show_the_time_of_day_all_the_same(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    set_back(redis_server)
    sent = messages(b"x", delay=60)
    driver.send(sent)
    driver.send(messages(b"now"))
    (listed,) = driver.list("q", "delayed", 10)
    assert abs(listed.moment - time.time() - 60) < 5
    (delivery,) = take(driver.consumer("w"))
    assert abs(delivery.reserved_at - time.time()) < 5


def test_a_clock_that_is_a_little_behind_waits_for_itself(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    """As a burst of messages leaves it, which gets more moments than there are microseconds."""
    redis_server.ask("HSET", CLOCK, "last", str(time.time_ns() // 1_000 + 200_000))
    driver.send(messages(b"0"))
    driver.send(messages(b"1"))
    assert [each.message.body for each in take(driver.consumer("w"))] == [b"0", b"1"]
    assert redis_server.ask("HGET", CLOCK, "ahead") == b"$1"  # and then 0


@pytest.mark.parametrize("first", [1_999_999_999_999_999, 4_000_000_000_000_000 - 1])
def test_round_moments_stay_whole_numbers(
    driver: RedisDriver, redis_server: RedisServer, first: int
) -> None:
    """Lua writes large round numbers with an exponent."""
    redis_server.ask("HSET", CLOCK, "last", str(first))
    consumer = driver.consumer("w")
    sent = messages(b"0", b"1", b"2")
    driver.send(sent)
    assert [each.message.id for each in driver.list("q", "waiting", 10)] == [m.id for m in sent]
    zero, one, two = take(consumer)
    assert [each.message.body for each in (zero, one, two)] == [b"0", b"1", b"2"]
    assert consumer.settle([Return(one), Return(zero)]) == ["applied", "applied"]
    assert [each.message.body for each in take(consumer)] == [b"0", b"1"]
    assert all(isinstance(each, float) for each in consumer.renew([two]))
    assert driver.rescue("w", blamed=[two.message.id]) == 3
    assert [(each.message.body, each.deliveries) for each in take(consumer)] == [
        (b"2", 2),
        (b"0", 1),
        (b"1", 1),
    ]
    consumer.close()

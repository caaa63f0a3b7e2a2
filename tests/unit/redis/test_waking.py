"""Waking: a sleeper is told once and in time, and what is told is only a hint."""

import time

import pytest

from packhorse.plugin import Consumer, Reserved
from packhorse.testing import Running, eventually
from packhorse_redis.driver import RedisDriver
from packhorse_redis.slot import Slot
from tests.redis_server import RedisServer
from tests.unit.redis.messages import messages, take

BELL = "{packhorse}:bell"


def sleeping(consumer: Consumer, server: RedisServer, wait: float = 20.0) -> Running[Reserved]:
    """A reservation that has gone to sleep."""
    running = Running(consumer.reserve, ["q"], 1, wait)
    eventually(lambda: server.ask("HEXISTS", BELL, "q") == b":1")
    return running


def told(server: RedisServer) -> int:
    """How often anything was told."""
    (line,) = [each for each in server.info("commandstats") if "cmdstat_publish:" in each] or [""]
    return int(line.partition("calls=")[2].partition(",")[0] or 0)


def test_a_sleeper_is_told_at_once(driver: RedisDriver, redis_server: RedisServer) -> None:
    consumer = driver.consumer("w")
    running = sleeping(consumer, redis_server)
    started = time.monotonic()
    driver.send(messages(b"x"))
    assert len(running.answer(within=10).deliveries) == 1
    assert time.monotonic() - started < 2
    consumer.close()


def test_a_rush_is_told_once_and_nobody_is_told_who_does_not_sleep(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    redis_server.ask("CONFIG", "RESETSTAT")
    for _ in range(5):
        driver.send(messages(b"x"))
    consumer = driver.consumer("w")
    assert len(take(consumer)) == 5
    assert told(redis_server) == 0
    running = sleeping(consumer, redis_server)
    for _ in range(50):
        driver.send(messages(b"x"))
    running.answer(within=10)
    assert told(redis_server) == 1
    consumer.close()


def test_what_comes_later_than_a_sleeper_wakes_is_not_told(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    consumer = driver.consumer("w")
    running = sleeping(consumer, redis_server, wait=1.0)
    redis_server.ask("CONFIG", "RESETSTAT")
    driver.send(messages(b"later", delay=30))
    assert told(redis_server) == 0
    driver.send(messages(b"sooner", delay=0.2))
    assert told(redis_server) == 1
    assert [each.message.body for each in running.answer(within=10).deliveries] == [b"sooner"]
    consumer.close()


def test_with_all_hints_lost_only_time_is_lost(
    driver: RedisDriver, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Slot, "channel", lambda slot, queue: b"where nobody tells anything")
    consumer = driver.consumer("w")
    running = sleeping(consumer, redis_server, wait=0.5)
    driver.send(messages(b"x"))
    assert list(running.answer(within=10).deliveries) == []
    assert len(consumer.reserve(["q"], 1, 0.5).deliveries) == 1
    consumer.close()


def test_a_connection_that_listens_and_is_cut_is_made_anew(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    consumer = driver.consumer("w")
    running = sleeping(consumer, redis_server)
    assert redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub") == b":1"
    driver.send(messages(b"x"))
    assert len(running.answer(within=10).deliveries) == 1
    consumer.close()


def test_a_sleeper_asks_once_a_sleep(driver: RedisDriver, redis_server: RedisServer) -> None:
    consumer = driver.consumer("w")
    consumer.reserve(["q"], 1, 0.05)
    redis_server.ask("CONFIG", "RESETSTAT")
    for _ in range(5):
        assert list(consumer.reserve(["q"], 1, 0.05).deliveries) == []
    (line,) = [each for each in redis_server.info("commandstats") if "cmdstat_evalsha:" in each]
    assert "calls=5," in line
    consumer.close()

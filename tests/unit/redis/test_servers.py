"""Servers that are away, refuse, come back, or are shared."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from packhorse.plugin import ConfigError, ConnectionLost, Done, DriverSetup, Group, Put, Url
from packhorse.testing import FaultProxy, Running, eventually
from packhorse_redis.driver import RedisDriver
from packhorse_redis.store import RedisStore
from tests.forking import ended_well, in_child
from tests.redis_server import RedisServer
from tests.unit.redis.conftest import OpenDriver
from tests.unit.redis.messages import messages, take

USER = (
    "ACL SETUSER worker on >secret ~{packhorse}:* &{packhorse}:* "
    "+@read +@write +@scripting +@pubsub +@connection +time -@admin -@dangerous"
)
"""The rights that the page on Redis names."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may stop."""
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.stop()


class Opened(Protocol):
    """Opens a driver that is closed after the test."""

    def __call__(self, url: str, **options: object) -> RedisDriver: ...


@pytest.fixture
def opened() -> Iterator[Opened]:
    drivers: list[RedisDriver] = []

    def open_one(url: str, **options: object) -> RedisDriver:
        drivers.append(RedisDriver.open(Url.parse(url, options), DriverSetup()))
        return drivers[-1]

    yield open_one
    for driver in drivers:
        driver.close()


def test_a_restart_costs_time_and_no_jobs(server: RedisServer, opened: Opened) -> None:
    driver = opened(server.url)
    consumer = driver.consumer("w")
    driver.send(messages(b"0", b"1"))
    (held,) = take(consumer, 1)
    server.stop()
    with pytest.raises(ConnectionLost, match="check that it runs"):
        driver.counts("q")
    server.start()
    assert driver.counts("q").reserved == 1
    assert consumer.settle([Done(held)]) == ["applied"]
    assert [each.message.body for each in take(consumer)] == [b"1"]
    consumer.close()


def test_an_idle_connection_that_was_closed_is_noticed_before_it_is_used(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    driver.counts("q")
    redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
    time.sleep(1.1)  # until then it is believed to be there
    assert driver.send(messages(b"x"))[0].state == "stored"


def test_a_stalled_server_is_given_up_after_the_timeout(
    redis_server: RedisServer, opened: Opened
) -> None:
    with FaultProxy("127.0.0.1", redis_server.port) as proxy:
        driver = opened(f"redis://127.0.0.1:{proxy.port}", timeout=0.2)
        driver.counts("q")
        proxy.stall()
        with pytest.raises(ConnectionLost, match="did not answer"):
            driver.send(messages(b"x"))
        proxy.resume()
        driver.counts("q")


def test_a_lost_reply_of_a_reservation_costs_nothing(
    redis_server: RedisServer, opened: Opened
) -> None:
    redis_server.emptied()
    with FaultProxy("127.0.0.1", redis_server.port) as proxy:
        driver = opened(f"redis://127.0.0.1:{proxy.port}")
        driver.send(messages(b"x"))
        consumer = driver.consumer("w")
        consumer.reserve(["another"], 1, 0)  # so that the server knows the script
        proxy.lose_replies()
        with pytest.raises(ConnectionLost):
            take(consumer)
        proxy.resume()
        assert driver.rescue("w") == 1
        assert [each.deliveries for each in take(consumer)] == [1]
        consumer.close()


def test_a_user_with_the_rights_that_are_named_can_do_everything(
    server: RedisServer, opened: Opened
) -> None:
    assert server.ask(*USER.split()) == b"+OK"
    url = f"redis://worker:secret@localhost:{server.port}"
    driver, store = opened(url), RedisStore(Url.parse(url), DriverSetup())
    consumer = driver.consumer("w")
    running = Running(consumer.reserve, ["q"], 1, 10)
    driver.send(messages(b"x"))
    (delivery,) = running.answer(within=10).deliveries
    assert driver.list("q", "leased", 10)[0].worker == "w"
    assert driver.rescue("w") == 1
    assert driver.clear("q") == 1
    assert consumer.settle([Done(delivery)]) == ["gone"]
    store.apply([Group([Put("k", b"v", ttl=10)])])
    assert store.read(["k"]) == [b"v"]
    store.close()
    consumer.close()


@pytest.mark.parametrize(
    ("who", "says"),
    [("nobody:hunter2@", "WRONGPASS"), (":hunter2@", "WRONGPASS"), ("", "NOAUTH")],
)
def test_who_is_not_let_in_is_told_so(
    server: RedisServer, who: str, says: str, opened: Opened
) -> None:
    server.ask("CONFIG", "SET", "requirepass", "secret")
    with pytest.raises(ConfigError, match=says) as caught:
        opened(f"redis://{who}localhost:{server.port}").counts("q")
    assert "hunter2" not in str(caught.value)


def test_a_database_that_is_not_there(redis_server: RedisServer, opened: Opened) -> None:
    with pytest.raises(ConfigError, match="DB index is out of range"):
        opened(redis_server.url, database=99).counts("q")


def test_a_full_server_refuses_and_keeps_what_it_has(server: RedisServer, opened: Opened) -> None:
    driver = opened(server.url)
    driver.send(messages(b"x"))
    server.ask("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(ConnectionLost, match="cannot serve now: OOM"):
        driver.send(messages(b"y"))
    server.ask("CONFIG", "SET", "maxmemory", "0")
    assert driver.counts("q").ready == 1


def test_prefixes_keep_connections_apart(open_driver: OpenDriver) -> None:
    one, other = open_driver(), open_driver(prefix="other")
    one.send(messages(b"x"))
    assert (one.counts("q").ready, other.counts("q").ready) == (1, 0)
    assert take(other.consumer("w")) == []


def test_a_forked_child_has_connections_of_its_own(driver: RedisDriver) -> None:
    driver.send(messages(b"parent"))
    consumer = driver.consumer("w")
    held = take(consumer)

    def work() -> None:
        driver.after_fork()
        driver.send(messages(b"child"))
        driver.close()

    assert ended_well(in_child(work))
    assert consumer.settle([Done(each) for each in held]) == ["applied"]
    assert [each.message.body for each in take(consumer)] == [b"child"]
    consumer.close()


def test_who_is_closed_says_so(open_driver: OpenDriver) -> None:
    driver = open_driver()
    driver.close()
    with pytest.raises(ConnectionLost, match="after it was closed"):
        driver.counts("q")


def test_a_node_of_a_cluster_is_told_apart(
    tmp_path_factory: pytest.TempPathFactory, opened: Opened
) -> None:
    enabled = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    one, other = (RedisServer(tmp_path_factory.mktemp("node"), *enabled) for _ in range(2))
    try:
        with pytest.raises(ConnectionLost, match="CLUSTERDOWN"):
            opened(one.url).counts("q")
        slot = other.ask("CLUSTER", "KEYSLOT", "packhorse")
        assert slot is not None
        assert other.ask("CLUSTER", "ADDSLOTS", slot.decode().lstrip(":")) == b"+OK"
        one.ask("CLUSTER", "MEET", "127.0.0.1", str(other.port))

        def is_refused() -> bool:
            with pytest.raises((ConfigError, ConnectionLost)) as caught:
                opened(one.url).counts("q")
            return "name a server that stands alone" in str(caught.value)

        eventually(is_refused, within=20, every=0.2)
    finally:
        one.stop()
        other.stop()


def test_a_server_that_lets_nobody_else_in_is_away(server: RedisServer, opened: Opened) -> None:
    server.ask("CONFIG", "SET", "maxclients", "1")
    full = re.compile("max number of clients|did not answer")
    with (
        socket.create_connection(("127.0.0.1", server.port)),
        pytest.raises(ConnectionLost, match=full),
    ):
        opened(server.url).counts("q")

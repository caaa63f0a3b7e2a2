"""What a driver says of a server to which jobs should not be trusted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse.plugin import DriverSetup, Url
from packhorse_redis.driver import RedisDriver
from tests.redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that is set as the page says."""
    server = RedisServer(tmp_path, "--appendonly", "yes")
    yield server
    server.stop()


def said_of(url: str) -> list[str]:
    driver = RedisDriver.open(Url.parse(url), DriverSetup())
    try:
        return driver.concerns()
    finally:
        driver.close()


def test_of_a_server_that_is_set_well_nothing_is_said(server: RedisServer) -> None:
    assert said_of(server.url) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["maxmemory-policy", "allkeys-lru"], "set it to noeviction"),
        (["appendonly", "no"], "keeps nothing on disk"),
        (["appendonly", "no", "save", "60 1"], "keeps snapshots alone"),
    ],
)
def test_what_may_lose_jobs_is_said(server: RedisServer, settings: list[str], says: str) -> None:
    for name, value in zip(settings[::2], settings[1::2], strict=True):
        assert server.ask("CONFIG", "SET", name, f'"{value}"') == b"+OK"
    (concern,) = said_of(server.url)
    assert says in concern


def test_a_replica_is_no_place_for_jobs(server: RedisServer) -> None:
    server.ask("REPLICAOF", "127.0.0.1", "1")
    (concern,) = said_of(server.url)
    assert "name the primary" in concern


def test_a_user_who_may_not_ask_is_told_so(server: RedisServer) -> None:
    server.ask("ACL", "SETUSER", "worker", "on", ">secret", "~*", "+@all", "-info")
    (concern,) = said_of(f"redis://worker:secret@localhost:{server.port}")
    assert "grant it +info" in concern

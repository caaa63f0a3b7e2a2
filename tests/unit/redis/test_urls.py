"""What a URL says of a server, and what is wrong with one."""

import pytest

from packhorse.plugin import ConfigError, DriverSetup, Url
from packhorse_redis.address import Address
from packhorse_redis.driver import RedisDriver


def read(text: str, **options: object) -> Address:
    return Address.read(Url.parse(text, options))


def test_what_is_not_said_has_a_default() -> None:
    address = read("redis://")
    assert (address.host, address.port, address.database) == ("localhost", 6379, 0)
    assert (address.username, address.password, address.tls) == (None, None, None)
    assert (address.timeout, address.connect_timeout) == (5.0, 5.0)


def test_what_is_said_is_meant() -> None:
    address = read("redis://ann:p%40ss@far:7000/3?timeout=2", connect_timeout=0.5)
    assert (address.host, address.port, address.database) == ("far", 7000, 3)
    assert (address.username, address.password) == ("ann", "p@ss")
    assert (address.timeout, address.connect_timeout) == (2.0, 0.5)
    assert read("unix:///run/redis.sock?database=2").database == 2
    assert read("unix:///run/redis.sock").path == "/run/redis.sock"


def test_with_tls_the_server_must_be_who_it_says() -> None:
    tls = read("rediss://far").tls
    assert tls is not None
    assert tls.check_hostname
    careless = read("rediss://far?verify=false").tls
    assert careless is not None
    assert not careless.check_hostname


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("redis://h/jobs", "names no database: write its number"),
        ("redis://h/-1", "names no database"),
        ("redis://h?database=-1", "names no database"),
        ("redis://h?timeout=0", "it needs seconds, more than 0"),
        ("redis://h?tiemout=1", "did you mean 'timeout'?"),
        ("redis://h1,h2/0", "names several servers"),
        ("unix://", "names no socket"),
        ("rediss://h?ca=/nowhere.pem", "certificates of rediss://h cannot be read"),
        ("redis://h?prefix={a}", "a text without braces"),
        ("redis://h?prefix=", "a text without braces"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        RedisDriver.open(Url.parse(text), DriverSetup())


def test_no_password_is_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        RedisDriver.open(Url.parse("redis://ann:hunter2@h/x"), DriverSetup())
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in read("redis://ann:hunter2@h").title

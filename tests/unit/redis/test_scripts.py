"""What the Lua files say of themselves is so: their keys, their parts, their bounds."""

import re
from pathlib import Path

import pytest

import packhorse_redis
from packhorse.ids import new_id
from packhorse.plugin import Message, PayloadTooLarge
from packhorse_redis.driver import RedisDriver
from packhorse_redis.scripts import script
from tests.redis_server import RedisServer
from tests.unit.redis.messages import messages

LUA = Path(packhorse_redis.__file__).parent / "lua"
NAMES = sorted(path.stem for path in LUA.glob("*.lua"))
CALL = re.compile(r"redis\.call\(\s*(?:'(\w+)'|\w[^,]*?),\s*([^,()\s]+)", re.MULTILINE)
KEYLESS = {"TIME", "PUBLISH"}
OWN = {"line", "KEYS", "key", "unpack"}
"""What stands for a key beside the declared names: one of a queue's lines, and the store's own keys."""


@pytest.mark.parametrize("name", NAMES)
def test_a_script_opens_with_a_comment_on_what_it_does(name: str) -> None:
    first = (LUA / f"{name}.lua").read_text().splitlines()[0]
    assert re.fullmatch(r"-- [A-Z].*", first)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_touches_the_keys_that_it_declares_and_no_others(name: str) -> None:
    found = script(name)
    declared = {key.upper() for key in (*found.keys, *found.each)}
    touched = {key for command, key in CALL.findall(found.text) if command not in KEYLESS}
    touched = {re.split(r"[(\[]", key)[0] for key in touched}
    assert touched - declared <= OWN
    used = set(re.findall(r"\b[A-Z]+\b", re.sub(r"--.*", "", found.text)))
    assert declared <= used


@pytest.mark.parametrize("name", NAMES)
def test_no_script_looks_through_all_keys(name: str) -> None:
    assert not re.search(r"'(KEYS|SCAN|FLUSH\w*)'", script(name).text)


def test_a_server_that_has_forgotten_the_scripts_is_told_them_again(
    driver: RedisDriver, redis_server: RedisServer
) -> None:
    consumer = driver.consumer("w")
    for body in (b"0", b"1"):
        assert driver.send(messages(body))[0].state == "stored"
        assert redis_server.ask("SCRIPT", "FLUSH") == b"+OK"
        assert [each.message.body for each in consumer.reserve(["q"], 1, 0).deliveries] == [body]
        assert driver.counts("q").reserved == int(body) + 1
    consumer.close()


def test_a_name_of_a_queue_that_is_too_long_is_refused(driver: RedisDriver) -> None:
    long = Message(new_id(), "q" * 20_000, b"long")
    with pytest.raises(PayloadTooLarge, match="shorten it"):
        driver.send([*messages(b"0"), long])
    assert driver.counts("q").ready == 0

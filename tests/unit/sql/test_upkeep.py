"""What is over is removed in small steps that ride along with writes."""

from pathlib import Path

import pytest

from packhorse.ids import new_id
from packhorse.plugin import AddMembers, Done, Group, Message, Put, Unique
from packhorse.testing import ManualClock
from packhorse_sql import upkeep
from tests.unit.sql.opening import messages, open_driver, open_store, raw, take


def count(path: Path, table: str) -> int:
    """How many rows a table has."""
    with raw(path) as connection:
        query = f"SELECT count(*) FROM packhorse_{table}"
        number: int = connection.execute(query).fetchone()[0]
    return number


def keyed(key: str, window: float = 0.0) -> Message:
    """A message with a unique key."""
    return Message(new_id(), "q", b"x", unique=Unique(key, window=window))


def test_known_ids_go_when_their_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "STEP", 10)
    monkeypatch.setattr(upkeep, "EVERY", 0.0)
    path, clock = tmp_path / "jobs.db", ManualClock()
    driver = open_driver(path, clock)
    consumer = driver.consumer("w")
    driver.send(messages(*[b"x"] * 25, once=60))
    driver.send(messages(b"longer", once=600))
    consumer.settle([Done(each) for each in take(consumer)])
    assert count(path, "known") == 26
    clock.advance(61)
    left = []
    for _ in range(4):
        driver.pause("other")
        left.append(count(path, "known"))
    assert left == [16, 6, 1, 1]


def test_unique_keys_go_when_their_window_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "STEP", 10)
    monkeypatch.setattr(upkeep, "EVERY", 0.0)
    path, clock = tmp_path / "jobs.db", ManualClock()
    driver = open_driver(path, clock)
    consumer = driver.consumer("w")
    driver.send([keyed(f"{number}", window=60) for number in range(25)])
    consumer.settle([Done(each) for each in take(consumer)])
    driver.send([keyed("live", window=1), keyed("none"), keyed("longer", window=600)])
    consumer.settle([Done(each) for each in take(consumer)[1:]])
    assert count(path, "keys") == 27
    clock.advance(61)
    for _ in range(4):
        driver.pause("other")
    with raw(path) as connection:
        left = connection.execute("SELECT key FROM packhorse_keys ORDER BY key").fetchall()
    assert left == [("live",), ("longer",)]


def test_keys_and_members_go_when_their_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "STEP", 10)
    monkeypatch.setattr(upkeep, "EVERY", 0.0)
    path, clock = tmp_path / "jobs.db", ManualClock()
    store = open_store(path, clock)
    members = [b"%d" % number for number in range(25)]
    store.apply([Group([AddMembers("set", members, ttl=60), Put("key", b"v", ttl=60)])])
    store.apply([Group([AddMembers("kept", [b"x"]), Put("forever", b"v")])])
    clock.advance(61)
    assert store.read(["set", "key"]) == [None, None]
    for _ in range(6):
        store.apply([Group([Put("forever", b"w")])])
    assert (count(path, "store"), count(path, "members")) == (2, 1)
    assert store.read(["kept", "forever"]) == [frozenset({b"x"}), b"w"]


def test_an_expired_set_leaves_no_member_to_the_next(tmp_path: Path) -> None:
    clock = ManualClock()
    store = open_store(tmp_path / "jobs.db", clock)
    store.apply([Group([AddMembers("set", [b"old"], ttl=60)])])
    clock.advance(61)
    assert store.apply([Group([AddMembers("set", [b"new", b"old"])])]) == [(2,)]
    assert store.read(["set"]) == [frozenset({b"new", b"old"})]


def test_a_set_that_was_overwritten_leaves_no_member_behind(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    store = open_store(path)
    store.apply([Group([AddMembers("set", [b"a", b"b"])])])
    store.apply([Group([Put("set", b"bytes")])])
    assert count(path, "members") == 0
    assert store.read(["set"]) == [b"bytes"]


def test_upkeep_is_no_part_of_most_writes(tmp_path: Path) -> None:
    path, clock = tmp_path / "jobs.db", ManualClock()
    driver = open_driver(path, clock)
    consumer = driver.consumer("w")
    driver.send(messages(b"x", once=1))
    consumer.settle([Done(each) for each in take(consumer)])
    clock.advance(2)
    driver.send(messages(b"y"))
    assert count(path, "known") == 1

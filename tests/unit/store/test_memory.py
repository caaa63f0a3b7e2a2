"""The memory store beside the conformance suite: kinds, room, threads and forks."""

import threading

import pytest

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.driver.contract import DriverSetup
from packhorse.driver.url import Url
from packhorse.errors import ConfigError
from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Delete,
    Equals,
    Expire,
    Group,
    Increment,
    Older,
    Put,
    RemoveMembers,
)
from packhorse.store.memory import MemoryStore
from packhorse.testing import ManualClock
from tests.forking import ended_well, in_child


def opened(clock: Clock = SYSTEM_CLOCK, url: str = "memory://") -> MemoryStore:
    return MemoryStore(Url.parse(url), DriverSetup(clock=clock))


def apply(store: MemoryStore, *actions: Action) -> tuple[int | None, ...] | None:
    """Applies one group without conditions."""
    return store.apply([Group(actions)])[0]


def test_each_action_answers_what_the_contract_says() -> None:
    store = opened()
    assert apply(
        store,
        Put("bytes", b"1"),
        Increment("number", 5),
        Increment("number", -2),
        AddMembers("set", [b"a", b"b", b"a"]),
        AddMembers("set", [b"b", b"c"]),
        RemoveMembers("set", [b"a", b"never"]),
        RemoveMembers("none", [b"a"]),
        Delete("none"),
        Expire("none", 5),
    ) == (None, 5, 3, 2, 1, 2, 0, None, None)
    assert store.read(["bytes", "number", "set", "none"]) == [b"1", 3, {b"b", b"c"}, None]


def test_an_emptied_set_is_absent_and_one_that_gets_no_members_is_not_made() -> None:
    store = opened()
    assert apply(store, AddMembers("set", [b"a"]), RemoveMembers("set", [b"a"])) == (1, 0)
    assert apply(store, AddMembers("empty", [])) == (0,)
    assert store.apply([Group([], [Absent("set"), Absent("empty")])]) == [()]


def test_times_run_as_each_action_says() -> None:
    clock = ManualClock()
    store = opened(clock)
    apply(store, Put("put", b"", 10), Increment("count", ttl=10), AddMembers("set", [b"a"], 10))
    apply(store, Put("forever", b"", 10), Expire("forever", None))
    clock.advance(6)
    apply(store, Increment("count", ttl=10), AddMembers("set", [b"b"], 10))
    clock.advance(6)
    assert store.read(["put", "count", "set", "forever"]) == [None, None, {b"a", b"b"}, b""]
    assert apply(store, Increment("count"), Expire("set", 0)) == (1, None)
    assert store.read(["count", "set"]) == [1, None]


def test_a_group_applies_if_all_its_conditions_hold_and_others_are_not_touched() -> None:
    store = opened()
    apply(store, Put("owner", b"job" + b"\x01"))
    answers = store.apply(
        [
            Group([Put("a", b"1")], [Absent("a"), Equals("owner", b"job\x01")]),
            Group([Put("a", b"2"), Put("b", b"2")], [Absent("a")]),
            Group([Put("owner", b"job\x02")], [Older("owner", b"job\x02", 3)]),
            Group([Put("owner", b"jab\x03")], [Older("owner", b"jab\x03", 3)]),
            Group([Put("owner", b"job\x01")], [Older("owner", b"job\x01", 3)]),
            Group([Put("new", b"")], [Older("new", b"x")]),
        ]
    )
    assert answers == [(None,), None, (None,), None, None, None]
    assert store.read(["a", "b", "owner", "new"]) == [b"1", None, b"job\x02", None]


@pytest.mark.parametrize(
    "action", [Increment("bytes"), AddMembers("bytes", [b"a"]), RemoveMembers("number", [b"a"])]
)
def test_a_value_of_another_kind_is_an_error_that_leaves_its_group_undone(action: Action) -> None:
    store = opened()
    apply(store, Put("bytes", b"1"), Increment("number"))
    with pytest.raises(TypeError, match=f"{type(action).__name__}.*{action.key!r}"):
        apply(store, Put("other", b""), Increment("number"), action)
    assert store.read(["bytes", "number", "other"]) == [b"1", 1, None]
    assert apply(store, Delete("bytes"), Increment("bytes"), Put("bytes", b"2")) == (None, 1, None)


def test_what_was_read_does_not_change_later() -> None:
    store = opened()
    apply(store, AddMembers("set", [b"a"]))
    (before,) = store.read(["set"])
    apply(store, AddMembers("set", [b"b"]))
    assert before == frozenset({b"a"})


def test_keys_whose_time_is_over_take_no_room() -> None:
    clock = ManualClock()
    store = opened(clock)
    for number in range(20_000):
        apply(store, Put(f"key-{number}", b"", 1.0))
        clock.advance(0.01)
    assert len(store._items) < 2_500


def test_many_threads_count_together() -> None:
    store = opened()

    def count() -> None:
        for _ in range(500):
            apply(store, Increment("n"))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read(["n"]) == [2_000]


def test_a_forked_child_starts_empty_even_if_the_lock_was_held() -> None:
    store = opened()
    apply(store, Put("key", b"parent"))

    def work() -> None:
        store.after_fork()
        assert store.read(["key"]) == [None]

    with store._lock:
        child = in_child(work)
    assert ended_well(child)
    assert store.read(["key"]) == [b"parent"]


def test_it_opens_by_the_url_of_its_connection_and_closes_twice() -> None:
    store = opened(url="memory://?like=sqs&lose=3")
    store.close()
    store.close()
    with pytest.raises(ConfigError, match="did you mean 'like'"):
        opened(url="memory://?lik=sqs")

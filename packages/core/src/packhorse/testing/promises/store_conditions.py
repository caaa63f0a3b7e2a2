"""What all tests of a store share, and what its conditions promise."""

import time
from collections.abc import Sequence
from typing import ClassVar

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Answers,
    Condition,
    Delete,
    Equals,
    Group,
    Has,
    Increment,
    Older,
    Put,
    RemoveMembers,
    Store,
    Value,
)
from packhorse.testing.clock import ManualClock
from packhorse.testing.suite import Suite

BINARY = bytes(range(256))
KEYS = ["k", "K", "a b", "a/b", "{tag}:x", "quote'\"; DROP TABLE x --", "grün-☃", "\n\0", "k" * 99]


def do(store: Store, *actions: Action, when: Sequence[Condition] = ()) -> Answers | None:
    """Applies one group; its answers, None if a condition did not hold."""
    (answers,) = store.apply([Group(actions, when)])
    return answers


def one(store: Store, key: str) -> Value | None:
    """The value of one key."""
    (value,) = store.read([key])
    return value


class StoreConditions(Suite):
    """What a group may depend on. A subclass gives a `store` fixture: an empty store.

    ttl    seconds that the tests let pass; without a manual clock keep it short
    clock  the clock that the store was opened with
    """

    ttl: ClassVar[float] = 0.5
    clock: ClassVar[Clock] = SYSTEM_CLOCK
    crowd: ClassVar[int] = 100

    def pass_time(self, store: Store, seconds: float) -> None:
        """Lets `seconds` pass for the store: moves a manual clock, else sleeps."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance(seconds)
        else:
            time.sleep(seconds)

    def test_absent_holds_only_where_there_is_nothing(self, store: Store) -> None:
        assert do(store, Put("k", b"first"), when=[Absent("k")]) == (None,)
        assert do(store, Put("k", b"second"), when=[Absent("k")]) is None
        do(store, Increment("n"), AddMembers("s", [b"x"]))
        assert do(store, Delete("k"), when=[Absent("n")]) is None
        assert do(store, Delete("k"), when=[Absent("s")]) is None
        assert one(store, "k") == b"first"

    def test_equals_holds_only_for_exactly_these_bytes(self, store: Store) -> None:
        do(store, Put("k", BINARY))
        for other in (b"", BINARY[:-1], BINARY + b"\0", b"x"):
            assert do(store, Delete("k"), when=[Equals("k", other)]) is None
        assert do(store, Delete("never"), when=[Equals("never", b"")]) is None
        assert do(store, Put("k", b"next"), when=[Equals("k", BINARY)]) == (None,)
        assert one(store, "k") == b"next"

    def test_older_holds_for_an_earlier_value_of_the_same_prefix(self, store: Store) -> None:
        held = b"message-\x00\x05"
        do(store, Put("owner", held))
        for value, holds in [
            (b"message-\x00\x06", True),
            (b"message-\x01\x00", True),
            (b"message-\x00\x05", False),
            (b"message-\x00\x04", False),
            (b"another-\xff\xff", False),
            (b"zzzzzzz-\xff\xff", False),
        ]:
            answer = do(store, Put("seen", value), when=[Older("owner", value, prefix=8)])
            assert (answer is not None) == holds, value

    def test_older_without_a_prefix_compares_whole_values(self, store: Store) -> None:
        do(store, Put("k", b"\x7f"))
        assert do(store, Put("x", b""), when=[Older("k", b"\x80")]) is not None
        assert do(store, Put("x", b""), when=[Older("k", b"\x7f")]) is None
        assert do(store, Put("x", b""), when=[Older("k", b"\x7e")]) is None
        assert do(store, Put("x", b""), when=[Older("never", b"\xff")]) is None

    def test_has_holds_only_for_a_member_of_a_set(self, store: Store) -> None:
        do(store, AddMembers("s", [b"a", BINARY]), Put("k", b"a"), Increment("n"))
        for member in (b"a", BINARY):
            assert do(store, when=[Has("s", member)]) == ()
        for key, member in (("s", b""), ("s", BINARY[:-1]), ("k", b"a"), ("never", b"a")):
            assert do(store, when=[Has(key, member)]) is None
        once = RemoveMembers("s", [b"a"])
        assert do(store, once, when=[Has("s", b"a")]) == (1,)
        assert do(store, once, when=[Has("s", b"a")]) is None

    def test_has_sees_what_earlier_groups_of_the_call_did(self, store: Store) -> None:
        move = Group([RemoveMembers("s", [b"a"]), AddMembers("t", [b"a"])], [Has("s", b"a")])
        do(store, AddMembers("s", [b"a", b"b"]))
        assert store.apply([move, move]) == [(1, 1), None]
        assert store.read(["s", "t"]) == [frozenset({b"b"}), frozenset({b"a"})]

    def test_has_holds_no_more_when_the_set_is_over(self, store: Store) -> None:
        do(store, AddMembers("s", [b"a"], self.ttl))
        assert do(store, when=[Has("s", b"a")]) == ()
        self.pass_time(store, self.ttl * 1.2)
        assert do(store, when=[Has("s", b"a")]) is None

    def test_every_condition_must_hold(self, store: Store) -> None:
        do(store, Put("a", b"1"))
        assert do(store, Put("b", b"2"), when=[Equals("a", b"1"), Absent("a")]) is None
        assert do(store, Put("b", b"2"), when=[Absent("b"), Equals("a", b"0")]) is None
        assert one(store, "b") is None
        assert do(store, Put("b", b"2"), when=[Equals("a", b"1"), Absent("b")]) == (None,)

"""The conformance suite for stores: subclass it, give it a `store` fixture, done.

class TestMyStore(StoreSuite):
    @pytest.fixture
    def store(self):
        store = MyStore(Url.parse("mine://"), DriverSetup())
        yield store
        store.close()
"""

import pytest

from packhorse.store.contract import (
    Absent,
    Action,
    AddMembers,
    Delete,
    Equals,
    Expire,
    Group,
    Increment,
    Put,
    RemoveMembers,
    Store,
)
from packhorse.testing.promises.store_conditions import (
    BINARY,
    KEYS,
    StoreConditions,
    do,
    one,
)
from packhorse.testing.running import Running


class StoreSuite(StoreConditions):
    """Every promise of the store contract. A subclass gives a `store` fixture: an empty store.

    Its settings are those of `StoreConditions`.
    """

    # reading and writing

    def test_what_was_never_written_is_absent(self, store: Store) -> None:
        assert store.read(["a", "b"]) == [None, None]
        assert store.read([]) == []
        assert store.apply([]) == []

    @pytest.mark.parametrize("value", [b"", b"\0", BINARY, b"42", b"x" * 100_000])
    def test_a_value_comes_back_byte_for_byte(self, store: Store, value: bytes) -> None:
        assert do(store, Put("key", value)) == (None,)
        assert one(store, "key") == value

    def test_values_are_read_in_the_asked_order(self, store: Store) -> None:
        do(store, Put("a", b"1"), Put("b", b"2"))
        assert store.read(["b", "missing", "a", "b"]) == [b"2", None, b"1", b"2"]

    def test_a_key_may_be_any_text(self, store: Store) -> None:
        store.apply([Group([Put(key, key.encode())]) for key in KEYS])
        assert store.read(KEYS) == [key.encode() for key in KEYS]

    def test_put_replaces_whatever_was_there(self, store: Store) -> None:
        do(store, Put("a", b"old"), Increment("b"), AddMembers("c", [b"x"]))
        do(store, *(Put(key, b"new") for key in "abc"))
        assert store.read(["a", "b", "c"]) == [b"new"] * 3

    def test_a_deleted_key_is_absent_whatever_it_held(self, store: Store) -> None:
        do(store, Put("a", b"x"), Increment("b"), AddMembers("c", [b"x"]))
        assert do(store, *(Delete(key) for key in ("a", "b", "c", "never"))) == (None,) * 4
        assert store.read(["a", "b", "c"]) == [None] * 3

    # integers and sets

    def test_increment_answers_the_sum(self, store: Store) -> None:
        assert do(store, Increment("n")) == (1,)
        assert do(store, Increment("n", 41), Increment("n", -50), Increment("n", 0)) == (42, -8, -8)
        assert one(store, "n") == -8

    def test_an_integer_may_be_large(self, store: Store) -> None:
        assert do(store, Increment("n", 2**53), Increment("n", 1)) == (2**53, 2**53 + 1)
        assert one(store, "n") == 2**53 + 1

    def test_add_members_answers_how_many_were_new(self, store: Store) -> None:
        assert do(store, AddMembers("s", [b"a", BINARY])) == (2,)
        assert do(store, AddMembers("s", [b"a", b"b", b"b"]), AddMembers("s", [b""])) == (1, 1)
        assert one(store, "s") == frozenset({b"a", BINARY, b"b", b""})

    def test_remove_members_answers_how_many_are_left(self, store: Store) -> None:
        do(store, AddMembers("s", [b"a", b"b", b"c"]))
        assert do(store, RemoveMembers("s", [b"a", b"never"])) == (2,)
        assert do(store, RemoveMembers("s", [b"a"])) == (2,)
        assert do(store, RemoveMembers("s", [b"b", b"c"]), RemoveMembers("s", [b"b"])) == (0, 0)

    def test_an_emptied_set_is_absent(self, store: Store) -> None:
        do(store, AddMembers("s", [b"a"]), RemoveMembers("s", [b"a"]))
        assert one(store, "s") is None
        assert do(store, Put("s", b"free"), when=[Absent("s")]) == (None,)

    def test_removing_from_no_set_leaves_nothing(self, store: Store) -> None:
        assert do(store, RemoveMembers("s", [b"a"])) == (0,)
        assert one(store, "s") is None

    # groups

    def test_a_group_whose_condition_fails_changes_nothing(self, store: Store) -> None:
        do(store, Put("a", b"1"), Increment("n"), AddMembers("s", [b"x"]))
        changes: list[Action] = [
            Put("a", b"2"),
            Delete("s"),
            Increment("n"),
            AddMembers("t", [b"y"]),
            Expire("a", self.ttl),
        ]
        assert do(store, *changes, when=[Absent("a")]) is None
        self.pass_time(store, self.ttl * 1.2)
        assert store.read(["a", "n", "s", "t"]) == [b"1", 1, frozenset({b"x"}), None]

    def test_groups_apply_in_order_and_one_stops_no_other(self, store: Store) -> None:
        answers = store.apply(
            [
                Group([Put("lock", b"me")], [Absent("lock")]),
                Group([Put("lock", b"you")], [Absent("lock")]),
                Group([Increment("n", 2), Increment("n", 3)]),
                Group([Put("lock", b"next")], [Equals("lock", b"me")]),
                Group([RemoveMembers("s", [b"x"])], [Absent("n")]),
            ]
        )
        assert answers == [(None,), None, (2, 5), (None,), None]
        assert one(store, "lock") == b"next"

    def test_many_groups_go_in_one_call(self, store: Store) -> None:
        groups = [Group([Increment("n"), Put(f"k{n}", b"%d" % n)]) for n in range(1_000)]
        answers = store.apply(groups)
        assert answers == [(n + 1, None) for n in range(1_000)]
        assert store.read([f"k{n}" for n in range(1_000)]) == [b"%d" % n for n in range(1_000)]

    def test_a_partition_keeps_no_keys_apart(self, store: Store) -> None:
        store.apply([Group([Put("p:k", b"1")], partition="p")])
        assert one(store, "p:k") == b"1"

    # time

    @pytest.mark.parametrize("kind", ["put", "increment", "members"])
    def test_what_has_a_ttl_is_absent_after_it(self, store: Store, kind: str) -> None:
        write: dict[str, Action] = {
            "put": Put("k", b"v", ttl=self.ttl),
            "increment": Increment("k", ttl=self.ttl),
            "members": AddMembers("k", [b"v"], ttl=self.ttl),
        }
        do(store, write[kind])
        assert one(store, "k") is not None
        assert do(store, Put("x", b""), when=[Absent("k")]) is None
        self.pass_time(store, self.ttl * 1.2)
        assert one(store, "k") is None
        assert do(store, write[kind], when=[Absent("k")]) is not None
        assert one(store, "k") in (b"v", 1, frozenset({b"v"}))

    def test_what_has_no_ttl_stays(self, store: Store) -> None:
        do(store, Put("a", b"v"), Increment("n"), AddMembers("s", [b"v"]))
        self.pass_time(store, self.ttl * 1.2)
        assert store.read(["a", "n", "s"]) == [b"v", 1, frozenset({b"v"})]

    def test_put_without_a_ttl_ends_an_earlier_one(self, store: Store) -> None:
        do(store, Put("k", b"v", ttl=self.ttl))
        do(store, Put("k", b"v"))
        self.pass_time(store, self.ttl * 1.2)
        assert one(store, "k") == b"v"

    def test_the_ttl_of_an_integer_counts_from_its_first_increment(self, store: Store) -> None:
        do(store, Increment("n", ttl=self.ttl))
        self.pass_time(store, self.ttl * 0.7)
        do(store, Increment("n", ttl=self.ttl))
        self.pass_time(store, self.ttl * 0.5)
        assert one(store, "n") is None
        assert do(store, Increment("n", ttl=self.ttl)) == (1,)

    def test_the_ttl_of_a_set_counts_from_its_last_addition(self, store: Store) -> None:
        do(store, AddMembers("s", [b"a"], ttl=self.ttl))
        self.pass_time(store, self.ttl * 0.6)
        do(store, AddMembers("s", [b"b"], ttl=self.ttl))
        self.pass_time(store, self.ttl * 0.6)
        assert one(store, "s") == frozenset({b"a", b"b"})
        self.pass_time(store, self.ttl * 0.6)
        assert one(store, "s") is None

    def test_expire_sets_what_is_left_of_a_present_key(self, store: Store) -> None:
        do(store, Put("a", b"v"), Put("b", b"v", ttl=self.ttl))
        do(store, Expire("a", self.ttl), Expire("b", None), Expire("never", self.ttl))
        self.pass_time(store, self.ttl * 1.2)
        assert store.read(["a", "b", "never"]) == [None, b"v", None]

    # threads

    def test_increments_from_many_threads_add_up(self, store: Store) -> None:
        def add() -> list[int | None]:
            groups = (store.apply([Group([Increment("n")])]) for _ in range(self.crowd // 4))
            return [answers[0] for (answers,) in groups if answers is not None]

        runs = [Running(add) for _ in range(16)]
        sums = [each for run in runs for each in run.answer(60)]
        assert sorted(each or 0 for each in sums) == list(range(1, 16 * (self.crowd // 4) + 1))
        assert one(store, "n") == 16 * (self.crowd // 4)

    def test_only_one_of_many_threads_gets_a_lock(self, store: Store) -> None:
        def lock(name: bytes) -> list[int]:
            groups = [Group([Put(f"lock-{n}", name)], [Absent(f"lock-{n}")]) for n in range(20)]
            return [n for n, answers in enumerate(store.apply(groups)) if answers is not None]

        names = [b"%d" % name for name in range(8)]
        runs = [Running(lock, name) for name in names]
        assert sorted(n for run in runs for n in run.answer(60)) == list(range(20))

    def test_closing_twice_is_allowed(self, store: Store) -> None:
        store.close()
        store.close()

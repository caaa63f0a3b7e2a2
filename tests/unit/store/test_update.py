"""Updates: decided one after the other over one reading, written if nobody else wrote meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from packhorse import Packhorse
from packhorse.store.contract import (
    Answers,
    Delete,
    Group,
    Increment,
    Put,
    Store,
    Value,
)
from packhorse.store.update import Change, Hold, Update, perform


class Watched(Store):
    """Counts round trips, and lets somebody else in between a reading and the next writing."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trips = 0
        self.between: list[Callable[[], object]] = []
        self.applied: list[Sequence[Group]] = []

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        self.trips += 1
        return self.store.read(keys)

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        self.trips += 1
        if self.between:
            self.between.pop(0)()
        self.applied.append(groups)
        return self.store.apply(groups)

    def close(self) -> None: ...


BOTH = ["memory", pytest.param("sqlite", marks=pytest.mark.backend("sqlite"))]


@pytest.fixture(params=BOTH)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/store.db"
    with Packhorse(url) as app:
        yield Watched(app.connection().store)


def counting(*keys: str, by: int = 1) -> Update:
    """Adds to numbers, written as text; answers the first before."""

    def change(values: Sequence[bytes | None]) -> Change:
        numbers = [int(value or b"0") for value in values]
        pairs = zip(keys, numbers, strict=True)
        return Change([Put(key, str(n + by).encode()) for key, n in pairs], numbers[0])

    return Update(keys, change)


def test_each_sees_what_those_before_it_write(store: Watched) -> None:
    updates = [counting("a"), counting("b", by=5), counting("a"), counting("a")]
    assert [told.answer for told in perform(store, updates, 30)] == [0, 0, 1, 2]
    assert store.read(["a", "b"]) == [b"3", b"5"]


def test_a_thousand_cost_two_round_trips(store: Watched) -> None:
    perform(store, [counting(f"key {n % 300}") for n in range(1000)], 30)
    assert store.trips == 2
    assert store.read(["key 0", "key 299"]) == [b"4", b"3"]


def test_what_only_looks_writes_nothing(store: Watched) -> None:
    store.store.apply([Group([Put("a", b"7")])])
    (told,) = perform(store, [Update(["a", "b"], lambda values: Change(answer=list(values)))], 30)
    assert told.answer == [b"7", None]
    assert store.trips == 1


def test_somebody_else_in_between_has_it_repeated(store: Watched) -> None:
    def other() -> None:
        store.store.apply([Group([Put("a", b"100")])])

    store.between = [other]
    told = perform(store, [counting("a"), counting("b"), counting("a")], 30)
    assert [one.answer for one in told] == [100, 0, 101]
    assert store.read(["a", "b"]) == [b"102", b"1"], "what nobody touched is not done twice"


def test_a_key_that_goes_or_comes_in_between_is_noticed(store: Watched) -> None:
    store.between = [lambda: store.store.apply([Group([Put("a", b"1")])])]
    assert perform(store, [counting("a")], 30)[0].answer == 1
    store.between = [lambda: store.store.apply([Group([Delete("a")])])]
    assert perform(store, [counting("a")], 30)[0].answer == 0


@pytest.mark.parametrize(
    "order",
    [
        [("a", "b"), ("c",), ("b", "c"), ("d",)],
        [("a",), ("b",), ("c",), ("c", "b", "a"), ("d", "a")],
        [("x", "all"), ("y", "all"), ("z", "all"), ("all",)],
    ],
)
def test_keys_of_one_update_are_written_together_or_not(
    store: Watched, order: list[tuple[str, ...]]
) -> None:
    perform(store, [counting(*keys) for keys in order], 30)
    parts = [{action.key for action in group.actions} for group in store.applied[0]]
    for keys in order:
        assert sum(bool(part & set(keys)) for part in parts) == 1
    for key in {key for keys in order for key in keys}:
        assert store.read([key]) == [str(sum(key in keys for keys in order)).encode()]


def test_a_function_that_raises_harms_no_other(store: Watched) -> None:
    def broken(values: Sequence[bytes | None]) -> Change:
        raise ZeroDivisionError

    told = perform(store, [counting("a"), Update(["a"], broken), counting("a")], 30)
    assert [one.answer for one in told] == [0, None, 1]
    assert isinstance(told[1].error, ZeroDivisionError)


def test_only_what_was_named_is_written(store: Watched) -> None:
    (told,) = perform(store, [Update(["a"], lambda values: Change([Put("b", b"")]))], 30)
    assert isinstance(told.error, ValueError)
    assert store.read(["a", "b"]) == [None, None]


def test_numbers_and_sets_are_refused(store: Watched) -> None:
    store.store.apply([Group([Increment("a")])])
    (told,) = perform(store, [counting("a")], 30)
    assert isinstance(told.error, TypeError)
    assert "'a' holds no bytes" in str(told.error)


def test_a_hold_lives_for_a_lease(store: Watched) -> None:
    hold = Hold("lock", b"me")
    (told,) = perform(store, [Update(["lock"], lambda values: Change([hold], "mine"))], 12.5)
    assert (told.answer, told.held) == ("mine", (hold,))
    assert store.applied[0][0].actions == [Put("lock", b"me", 12.5)]

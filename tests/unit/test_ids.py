"""Ids: of version 7, sorted by the time of their making, never twice; derived ones always the same."""

import time
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from packhorse.ids import derived_id, new_id


def test_version_and_variant() -> None:
    for id in (new_id() for _ in range(1_000)):
        assert (id.version, id.variant) == (7, RFC_4122)


def test_the_time_of_their_making_is_in_them() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id().int >> 80
    assert before <= made <= time.time_ns() // 1_000_000


def test_no_two_are_the_same() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_all_other_bits_are_random() -> None:
    ids = [new_id().int for _ in range(200)]
    changing = 0
    for id in ids:
        changing |= id ^ ids[0]
    fixed = 0xF << 76 | 0b11 << 62
    assert changing & fixed == 0
    assert changing & ((1 << 80) - 1) == ((1 << 80) - 1) & ~fixed


def test_later_ones_sort_behind() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_id())
        now = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == now:
            pass
    assert ids == sorted(ids)
    assert [str(id) for id in ids] == sorted(str(id) for id in ids)


@given(st.uuids(), st.text())
def test_a_derived_id_is_the_same_each_time(parent: UUID, label: str) -> None:
    label = label.encode("utf-8", "replace").decode()
    id = derived_id(parent, label)
    assert id == derived_id(parent, label)
    assert (id.version, id.variant) == (5, RFC_4122)
    assert id != derived_id(parent, label + "x")

"""Whether a job may start, by what the store has of its unique key: the whole table."""

from typing import Literal
from uuid import UUID, uuid4

import pytest

from packhorse.driver.message import Unique
from packhorse.store.holds import Hold, Line, Place, pack, window_left
from packhorse.worker.claims import judge

OWN, OTHER = uuid4(), uuid4()
Phase = Literal["sending", "waiting", "started", "gone"]


def place(until: Literal["done", "reserved"] = "done") -> Place:
    return Place(Line.of("main", "q", None), OWN, Unique("k", until))


def decide(
    until: Literal["done", "reserved"],
    holder: UUID | None,
    phase: Phase = "waiting",
    *,
    marked: bool = False,
    replaced: tuple[UUID, ...] = (),
) -> str:
    value = None if holder is None else pack(Hold(holder, phase, 1.0, replaced=replaced))
    mark = OTHER.bytes if marked else None
    one = judge(place(until), value, mark, sent_at=0.0, now=1.0, token=b"t")
    if one.waits:
        return "waits"
    if one.verdict is not None:
        return one.verdict.result
    return "holds" if one.hold is not None else "runs"


@pytest.mark.parametrize("phase", ["sending", "waiting", "started", "gone"])
def test_until_done_the_holder_starts_and_a_free_key_is_taken_again(phase: Phase) -> None:
    assert decide("done", OWN, phase) == "holds"
    assert decide("done", None) == "holds"


def test_until_done_nobody_starts_beside_another() -> None:
    assert decide("done", OTHER, "waiting") == "superseded"
    assert decide("done", OTHER, "started") == "superseded"
    assert decide("done", OTHER, "gone") == "superseded"
    assert decide("done", OTHER, "sending") == "waits"  # it may still not be sent


@pytest.mark.parametrize("phase", ["sending", "waiting", "started", "gone"])
def test_until_reserved_only_what_was_replaced_does_not_run(phase: Phase) -> None:
    assert decide("reserved", OWN, phase) == "runs"
    assert decide("reserved", OTHER, phase) == "runs"
    assert decide("reserved", None) == "runs"
    assert decide("reserved", OTHER, phase, marked=True) == "superseded"
    waits = decide("reserved", OTHER, phase, replaced=(OWN,))
    assert waits == ("waits" if phase == "sending" else "runs")


def test_what_is_marked_never_starts() -> None:
    assert decide("done", OWN, marked=True) == "superseded"
    assert decide("done", None, marked=True) == "superseded"


def test_a_window_counts_from_the_sending_and_never_grows() -> None:
    assert window_left(Unique("k"), 100.0, 101.0) == 0.0
    assert window_left(Unique("k", window=10), 100.0, 103.0) == 7.0
    assert window_left(Unique("k", window=10), 100.0, 90.0) == 10.0  # clocks may differ
    assert window_left(Unique("k", window=10), 100.0, 200.0) <= 0.0

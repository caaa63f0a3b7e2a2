"""Unique keys and groups on memory, against a model too simple to be wrong."""

from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from packhorse.driver.message import Message, Unique
from packhorse.testing import ManualClock
from tests.unit.driver.keys_model import LEASE, Pair
from tests.unit.driver.opening import memory

if TYPE_CHECKING:
    from tests.unit.driver.keys_model import Advances, ModelledDriver

CLOCK = ManualClock()
NUMBERS = count(1)


ADVANCES = [1.370_013, 4.190_101, 9.731_007, 31.700_503]
"""No sum of these is a delay, a window or a lease, so that nothing hangs on how floats are rounded."""

UNIQUES = st.builds(
    Unique,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["done", "reserved"]),
    st.sampled_from([0.0, 5.0, 40.0]),
    st.sampled_from(["keep", "replace"]),
    st.sampled_from([None, 6.0]),
)
MESSAGES = st.builds(
    lambda at, delay, unique, group, once: Message(
        UUID(int=0), at, b"body", delay, unique, group, once
    ),
    st.sampled_from(["x", "x", "y"]),
    st.sampled_from([0.0, 0.0, 4.0, 8.0]),
    st.none() | UNIQUES,
    st.sampled_from([None, "g", "g", "h"]),
    st.sampled_from([0.0, 20.0]),
)


def steps(advances: list[float]) -> st.SearchStrategy[tuple[str, object]]:
    """What may happen next; of time, `advances` pass."""
    return st.one_of(
        st.tuples(st.just("send"), st.lists(MESSAGES, min_size=1, max_size=3)),
        st.tuples(st.just("reserve"), st.just(0)),
        st.tuples(st.just("advance"), st.sampled_from(advances)),
        st.tuples(
            st.sampled_from(
                [
                    "settle",
                    "settle",
                    "settle",
                    "again",
                    "cancel",
                    "move",
                    "revive",
                    "forget",
                    "clear",
                    "rescue",
                ]
            ),
            st.integers(0, 60),
        ),
    )


STEPS = steps(ADVANCES)


def agree(
    driver: "ModelledDriver", steps: list[tuple[str, object]], clock: "Advances" = CLOCK
) -> None:
    """Takes the steps on queues of their own."""
    pair = Pair(driver, clock, next(NUMBERS))
    for verb, value in steps:
        pair.step(verb, value)
    pair.finish()


RETRIED_AND_MOVED: list[tuple[str, object]] = [
    ("send", [Message(UUID(int=0), "y", b"body", group=g) for g in ("g", None)]),
    ("reserve", 0),
    ("send", [Message(UUID(int=0), q, b"body", group=g) for q, g in (("x", None), ("y", "g"))]),
    ("settle", 13),
    ("move", 0),
]
"""A head that is retried and moved with its group stays before those that were sent after it."""


@settings(max_examples=200)
@example(steps=RETRIED_AND_MOVED)
@given(steps=st.lists(STEPS, max_size=40))
def test_memory_does_what_the_model_says(steps: list[tuple[str, object]]) -> None:
    agree(memory(clock=CLOCK, lease=LEASE), steps)

"""Waits for a condition instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 5.0, every: float = 0.01) -> T:
    """Asks `condition` every `every` seconds until its answer is truthy, and returns that answer.

    Raises `AssertionError` after `within` seconds, saying what the last answer was. An
    `AssertionError` of `condition` counts as "not yet"; any other error goes through.
    """
    deadline = time.monotonic() + within
    while True:
        try:
            seen = condition()
            if seen:
                return seen
            last = repr(seen)
        except AssertionError as error:
            last = f"AssertionError: {error}"
        if time.monotonic() >= deadline:
            name = getattr(condition, "__name__", repr(condition))
            raise AssertionError(f"{name} was not true within {within} s; last seen: {last}")
        time.sleep(every)

"""A manual clock moves when it is told, both hands together, and jumps with one."""

import pytest

from packhorse.testing import ManualClock


def test_it_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(wall=100.0, monotonic=5.0)
    assert (clock.wall(), clock.monotonic()) == (100.0, 5.0)
    clock.advance(2.5)
    assert (clock.wall(), clock.monotonic()) == (102.5, 7.5)


def test_a_jump_moves_the_wall_clock_alone() -> None:
    clock = ManualClock(wall=100.0, monotonic=5.0)
    clock.jump(-60)
    assert (clock.wall(), clock.monotonic()) == (40.0, 5.0)


def test_time_never_goes_back() -> None:
    with pytest.raises(ValueError, match="only goes forward"):
        ManualClock().advance(-1)

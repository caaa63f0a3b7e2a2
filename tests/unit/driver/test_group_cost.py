"""A job of a group costs memory as many steps among twenty thousand as among two hundred."""

import sys
from types import FrameType
from typing import Any

import pytest

from packhorse.driver.contract import Driver
from tests.unit.driver.group_cost import FEW, MANY, SHAPES, filled, work
from tests.unit.driver.opening import memory


def steps(driver: Driver) -> int:
    """How many instructions of Python the work takes."""
    count = 0

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        for _ in work(driver):
            pass
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_a_job_of_a_group_takes_no_more_steps_among_many(shape: str) -> None:
    few, many = (steps(filled(memory(), size, shape)) for size in (FEW, MANY))
    assert 0 < many < 1.1 * few

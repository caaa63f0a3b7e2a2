"""The garbage collector's pace in a worker's process."""

import gc
from collections.abc import Iterator

import pytest

from packhorse.worker.collector import YOUNG, collect_seldom


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_it_looks_more_seldom() -> None:
    gc.set_threshold(700, 10, 10)
    collect_seldom()
    assert gc.get_threshold() == (YOUNG, 10, 10)


@pytest.mark.parametrize("theirs", [(0, 10, 10), (50_000, 20, 30)])
def test_what_a_user_chose_stays(theirs: tuple[int, int, int]) -> None:
    gc.set_threshold(*theirs)
    collect_seldom()
    assert gc.get_threshold() == theirs

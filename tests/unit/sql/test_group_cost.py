"""A job of a group costs SQLite as many steps among twenty thousand as among two hundred."""

from pathlib import Path

import pytest

from packhorse_sql.driver import SqlDriver
from tests.unit.driver.group_cost import FEW, MANY, SHAPES, filled, work
from tests.unit.sql.opening import open_driver


def steps(driver: SqlDriver) -> int:
    """How many instructions of SQLite's machine the work takes."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with driver._database._session() as session:
        session.raw.set_progress_handler(step, 1)
    for _ in work(driver):
        pass
    return count


@pytest.mark.parametrize("shape", SHAPES)
def test_a_job_of_a_group_takes_no_more_steps_among_many(tmp_path: Path, shape: str) -> None:
    few, many = (
        steps(open_driver(filled_file(tmp_path / f"{size}.db", size, shape)))
        for size in (FEW, MANY)
    )
    assert 0 < many < 1.1 * few


def filled_file(path: Path, size: int, shape: str) -> Path:
    """A file with so many messages in groups of that shape."""
    driver = open_driver(path)
    filled(driver, size, shape)
    driver.close()
    return path

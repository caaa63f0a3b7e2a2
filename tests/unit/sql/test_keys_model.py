"""Unique keys and groups on SQLite, against the model that memory is held to."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse_sql.driver import SqlDriver
from tests.unit.driver.keys_model import LEASE
from tests.unit.driver.test_keys_model import CLOCK, STEPS, agree
from tests.unit.sql.opening import open_driver


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlDriver]:
    """One for all examples: each has queues of its own."""
    path = tmp_path_factory.mktemp("model") / "jobs.db"
    driver = open_driver(path, clock=CLOCK, lease=LEASE, synchronous="off")
    yield driver
    driver.close()


@pytest.mark.backend("sqlite")
@settings(max_examples=40)
@given(steps=st.lists(STEPS, max_size=40))
def test_sqlite_does_what_the_model_says(
    sqlite: SqlDriver, steps: list[tuple[str, object]]
) -> None:
    agree(sqlite, steps)

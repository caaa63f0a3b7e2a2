"""SQLite keeps every promise of driver and store, on a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.url import Url
from packhorse.store.contract import Store
from packhorse.testing import DriverSuite, ManualClock, StoreSuite
from packhorse_sql.driver import SqlDriver
from packhorse_sql.store import SqlStore


class TestSqlite(DriverSuite):
    lease = 30.0
    clock = ManualClock()

    @pytest.fixture
    def driver(self, tmp_path: Path) -> Iterator[Driver]:
        setup = DriverSetup(lease=self.lease, clock=self.clock)
        driver = SqlDriver.open(Url.parse(f"sqlite:///{tmp_path}/jobs.db"), setup)
        yield driver
        driver.close()


class TestSqliteStore(StoreSuite):
    clock = ManualClock()

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        setup = DriverSetup(clock=self.clock)
        store = SqlStore(Url.parse(f"sqlite:///{tmp_path}/jobs.db"), setup)
        yield store
        store.close()

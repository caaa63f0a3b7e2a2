"""The folder as a broker keeps every promise that it declares."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from packhorse_spool.driver import SpoolDriver

from packhorse.plugin import Driver, DriverSetup, Url
from packhorse.testing import DriverSuite, ManualClock


class TestSpool(DriverSuite):
    lease = 30.0
    clock = ManualClock()
    crowd = 100

    @pytest.fixture
    def driver(self, tmp_path: Path) -> Iterator[Driver]:
        setup = DriverSetup(lease=self.lease, clock=self.clock)
        driver = SpoolDriver.open(Url.parse(f"spool://{tmp_path}/broker"), setup)
        yield driver
        driver.close()

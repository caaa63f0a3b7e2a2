"""beanstalkd keeps every promise that its driver declares, on a real server with a binlog."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.url import Url
from packhorse.testing import DriverSuite
from packhorse_beanstalkd.driver import BeanstalkdDriver
from tests.beanstalkd import TimedServer, serving


class TestBeanstalkd(DriverSuite):
    """The server's time is moved on instead of waited for."""

    lease = 30.0

    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Iterator[TimedServer]:
        server = TimedServer(tmp_path / "binlog")
        type(self).clock = server
        with serving(server):
            yield server

    @pytest.fixture
    def driver(self, server: TimedServer) -> Iterator[Driver]:
        setup = DriverSetup(lease=self.lease, clock=server)
        driver = BeanstalkdDriver.open(Url.parse(server.url), setup)
        yield driver
        driver.close()

    def pass_time(self, driver: Driver, seconds: float) -> None:
        assert isinstance(self.clock, TimedServer)
        self.clock.advance(seconds)

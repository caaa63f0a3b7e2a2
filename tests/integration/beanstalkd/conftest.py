"""A server for each test, and drivers that speak to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.url import Url
from tests.beanstalkd import TimedServer, serving

MakeDriver = Callable[[str], Driver]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TimedServer]:
    with serving(TimedServer(tmp_path / "binlog")) as server:
        yield server


@pytest.fixture
def make_driver(server: TimedServer) -> Iterator[MakeDriver]:
    """Makes drivers, each as a process of its own would; their clock is the server's."""
    from packhorse_beanstalkd.driver import BeanstalkdDriver

    made: list[Driver] = []

    def make(url: str) -> Driver:
        setup = DriverSetup(clock=server)
        made.append(BeanstalkdDriver.open(Url.parse(url), setup))
        return made[-1]

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def driver(server: TimedServer, make_driver: MakeDriver) -> Driver:
    return make_driver(server.url)


@pytest.fixture
def other(server: TimedServer, make_driver: MakeDriver) -> Driver:
    return make_driver(server.url)

"""The memory driver keeps every promise, and under each broker's limits all that are left."""

from collections.abc import Iterator
from typing import ClassVar

import pytest

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.memory import MemoryDriver
from packhorse.driver.url import Url
from packhorse.store.contract import Store
from packhorse.store.memory import MemoryStore
from packhorse.testing import DriverSuite, ManualClock, StoreSuite


class OnMemory(DriverSuite):
    """Time passes when a test says so."""

    lease = 30.0
    clock = ManualClock()
    url: ClassVar[str] = "memory://"

    @pytest.fixture
    def driver(self) -> Iterator[Driver]:
        setup = DriverSetup(lease=self.lease, clock=self.clock)
        driver = MemoryDriver.open(Url.parse(self.url), setup)
        yield driver
        driver.close()


class TestMemory(OnMemory):
    pass


class TestLikeSqs(OnMemory):
    url = "memory://?like=sqs"


class TestLikeSqsFifo(OnMemory):
    url = "memory://?like=sqs-fifo"


class TestLikeBeanstalkd(OnMemory):
    url = "memory://?like=beanstalkd"


class TestLikeCluster(OnMemory):
    url = "memory://?like=cluster"


class TestMemoryStore(StoreSuite):
    clock = ManualClock()

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = MemoryStore(Url.parse("memory://"), DriverSetup(clock=self.clock))
        yield store
        store.close()

"""The beanstalkd driver: sends, counts, and opens consumers."""

import threading
from collections.abc import Sequence

import greenstalk

from packhorse.plugin import (
    Capabilities,
    ConfigError,
    Counts,
    Driver,
    DriverSetup,
    Message,
    Sent,
    Url,
    limits,
)
from packhorse_beanstalkd import frame, sending
from packhorse_beanstalkd.consumer import BeanstalkdConsumer
from packhorse_beanstalkd.control import Control
from packhorse_beanstalkd.pool import Pool
from packhorse_beanstalkd.tubes import tube_of
from packhorse_beanstalkd.wire import Address

JOB_SIZE = 65_535
"""Bytes of the largest job that beanstalkd takes unless it is started with `-z`."""

OPTIONS = ("max_job_size", "timeout")


class BeanstalkdDriver(Control, Driver):
    """Speaks to one beanstalkd."""

    def __init__(self, address: Address, setup: DriverSetup, job_size: int) -> None:
        self.capabilities = Capabilities(
            follow="before",
            fencing="broker",
            rewrite="resend",
            ordered=False,
            known_ids=False,
            delay_step=1.0,
            lease_step=1.0,
            max_body=job_size - frame.SIZE,
        )
        self._address = address
        self._setup = setup
        self._ttr = sending.whole_seconds(setup.lease)
        self._pool = Pool(address)
        self._lock = threading.Lock()
        self._consumers: list[BeanstalkdConsumer] = []

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> "BeanstalkdDriver":
        url.expect(OPTIONS)
        if url.username or url.password or url.path not in ("", "/"):
            raise ConfigError(
                f"{url}: beanstalkd knows no users, passwords and databases; "
                "write beanstalkd://HOST:PORT"
            )
        address = Address.of(url, setup, url.option("timeout", float, 5.0))
        return cls(address, setup, url.option("max_job_size", int, JOB_SIZE))

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        limits.check(messages, self.capabilities, self._setup.connection)
        if not messages:
            return []
        with self._pool.wire() as wire:
            return sending.send(wire, self._address, messages, self._ttr, self.capabilities)

    def consumer(self, worker: str) -> BeanstalkdConsumer:
        consumer = BeanstalkdConsumer(
            self._pool, self.capabilities, self._setup.clock, self._setup.connection
        )
        with self._lock:
            self._consumers = [each for each in self._consumers if not each.is_over()]
            self._consumers.append(consumer)
        return consumer

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        tube = tube_of(queue).decode()
        with self._pool.wire() as wire:
            try:
                told = wire.ask(lambda client: client.stats_tube(tube))
            except greenstalk.NotFoundError:
                return Counts()
        exact = (
            told["current-jobs-ready"],
            told["current-jobs-delayed"],
            told["current-jobs-reserved"],
        )
        ready, delayed, reserved = (min(number, cap) for number in exact)
        return Counts(ready, delayed, reserved, max(exact) > cap)

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._consumers = []
        self._pool.after_fork()

    def close(self) -> None:
        """Ends all connections; beanstalkd hands back at once what was still leased."""
        self._pool.close()
        with self._lock:
            consumers, self._consumers = self._consumers, []
        for consumer in consumers:
            consumer.abandon()

"""A driver around a driver: passes every verb on and has exactly the abilities of the other."""

from collections.abc import Callable, Sequence
from typing import Self, TypeVar, cast

from packhorse.driver.abilities import (
    Buries,
    Cancels,
    Clears,
    KeepsDead,
    Lists,
    Pauses,
    Rescues,
    Rewrites,
)
from packhorse.driver.contract import Consumer, Driver, DriverSetup
from packhorse.driver.message import Counts, Delivery, Message, Renewed, Reserved, Sent
from packhorse.driver.outcome import Outcome, Settled
from packhorse.driver.url import Url
from packhorse.errors import ConfigError

T = TypeVar("T")

ABILITIES: tuple[type, ...] = (Lists, Cancels, Clears, Pauses, KeepsDead, Buries, Rescues, Rewrites)


class ForwardingDriver(Driver):
    """Base of drivers that wrap another; override what is to be different.

    Every call goes through `forward(verb, call)`. An ability of the wrapped driver is one of this
    object too, for `isinstance` and for calls; what the wrapped one lacks, this one lacks.
    """

    def __new__(cls, driver: Driver) -> Self:
        abilities = tuple(ability for ability in ABILITIES if isinstance(driver, ability))
        methods = {
            name: _forwarding(name)
            for ability in abilities
            for name in ability.__dict__["__abstractmethods__"]
            if not hasattr(cls, name)
        }
        able = type(cls.__name__, (cls, *abilities), methods)
        return cast(Self, object.__new__(able))

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.capabilities = driver.capabilities
        self.local = driver.local

    @classmethod
    def open(cls, url: Url, setup: DriverSetup) -> Self:
        raise ConfigError(f"{cls.__name__} wraps a driver that is open: {cls.__name__}(driver)")

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        """Carries out one call of the driver or of a consumer; `verb` is the method's name."""
        return call()

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        return self.forward("send", lambda: self.driver.send(messages))

    def consumer(self, worker: str) -> Consumer:
        inner = self.forward("consumer", lambda: self.driver.consumer(worker))
        return ForwardingConsumer(self, inner)

    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        return self.forward("counts", lambda: self.driver.counts(queue, cap))

    def concerns(self) -> Sequence[str]:
        return self.forward("concerns", self.driver.concerns)

    def after_fork(self) -> None:
        self.driver.after_fork()

    def close(self) -> None:
        self.driver.close()


class ForwardingConsumer(Consumer):
    """The consumer of a `ForwardingDriver`."""

    def __init__(self, driver: ForwardingDriver, consumer: Consumer) -> None:
        self.driver = driver
        self.consumer = consumer

    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        return self.driver.forward("reserve", lambda: self.consumer.reserve(queues, limit, wait))

    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        return self.driver.forward("settle", lambda: self.consumer.settle(outcomes))

    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        return self.driver.forward("renew", lambda: self.consumer.renew(deliveries))

    def wake(self) -> None:
        self.consumer.wake()

    def close(self) -> None:
        self.consumer.close()


def _forwarding(verb: str) -> Callable[..., object]:
    def method(self: ForwardingDriver, *args: object, **keywords: object) -> object:
        return self.forward(verb, lambda: getattr(self.driver, verb)(*args, **keywords))

    method.__name__ = verb
    return method

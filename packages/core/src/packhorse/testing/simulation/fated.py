"""A driver and a store whose every call meets its fate: whoever decides over it makes the call, or not."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from packhorse.driver.contract import Driver
from packhorse.store.contract import Answers, Group, Store, Value
from packhorse.testing.forwarding import ForwardingDriver

T = TypeVar("T")


class Fates(Protocol):
    """Decides over calls."""

    def meet(self, verb: str, call: Callable[[], T]) -> T:
        """Makes the call, raises in its place, or both in that order."""


class FatedDriver(ForwardingDriver):
    """A driver and its consumers, under `fates`."""

    fates: Fates

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        return self.fates.meet(verb, call)


class FatedStore(Store):
    """A store, under the same fates."""

    def __init__(self, store: Store, fates: Fates) -> None:
        self._store = store
        self._fates = fates

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        return self._fates.meet("read", lambda: self._store.read(keys))

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        return self._fates.meet("apply", lambda: self._store.apply(groups))

    def close(self) -> None:
        self._store.close()


def fated(driver: Driver, fates: Fates) -> FatedDriver:
    """A driver under fates."""
    wrapped = FatedDriver(driver)
    wrapped.fates = fates
    return wrapped

"""What may happen to a call on its way to a broker or a store, decided before it is made."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from packhorse.driver.contract import Driver
from packhorse.errors import ConnectionLost
from packhorse.store.contract import Answers, Group, Store, Value
from packhorse.testing import ForwardingDriver

T = TypeVar("T")

Fate = Literal["refused", "reply lost", "crash before", "crash after"]


class Crash(BaseException):
    """The process is gone: nothing that it would have done next is done."""


class Fates:
    """Strikes the n-th call from now, once."""

    def __init__(self) -> None:
        self._left = -1
        self._fate: Fate = "refused"

    def decide(self, calls: int, fate: Fate | None) -> None:
        """The call after so many others meets this fate; None: all calls arrive."""
        self._left = -1 if fate is None else calls
        self._fate = fate or "refused"

    def meet(self, call: Callable[[], T]) -> T:
        """Makes the call, or lets it meet its fate."""
        self._left -= 1
        if self._left != -1:
            self._left = max(self._left, -2)
            return call()
        if self._fate == "refused":
            raise ConnectionLost("refused")
        if self._fate == "crash before":
            raise Crash
        call()
        if self._fate == "reply lost":
            raise ConnectionLost("the reply was lost")
        raise Crash


class FatedDriver(ForwardingDriver):
    """A driver and its consumers, under `fates`."""

    fates: Fates

    def forward(self, verb: str, call: Callable[[], T]) -> T:
        return self.fates.meet(call)


class FatedStore(Store):
    """A store, under the same fates."""

    def __init__(self, store: Store, fates: Fates) -> None:
        self._store = store
        self._fates = fates
        self.calls = 0

    def read(self, keys: Sequence[str]) -> list[Value | None]:
        self.calls += 1
        return self._fates.meet(lambda: self._store.read(keys))

    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        self.calls += 1
        return self._fates.meet(lambda: self._store.apply(groups))

    def close(self) -> None:
        self._store.close()


def fated(driver: Driver, fates: Fates) -> FatedDriver:
    """A driver under fates."""
    wrapped = FatedDriver(driver)
    wrapped.fates = fates
    return wrapped

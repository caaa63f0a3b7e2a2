"""What may happen to a call on its way to a broker or a store, decided before it is made."""

from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeVar

from packhorse.errors import ConnectionLost
from packhorse.testing.simulation.world import Crash

T = TypeVar("T")

Fate = Literal["refused", "reply lost", "crash before", "crash after"]


class Fates:
    """Strikes the n-th call from now, once; `calls` are those of each verb so far."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._left = -1
        self._fate: Fate = "refused"

    def decide(self, calls: int, fate: Fate | None) -> None:
        """The call after so many others meets this fate; None: all calls arrive."""
        self._left = -1 if fate is None else calls
        self._fate = fate or "refused"

    def meet(self, verb: str, call: Callable[[], T]) -> T:
        """Makes the call, or lets it meet its fate."""
        self.calls[verb] += 1
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

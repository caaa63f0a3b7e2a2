"""A call in a thread of its own, and its answer."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Running(threading.Thread, Generic[T]):
    """Starts `call(*args, **keywords)` at once; a test that fails does not wait for it."""

    def __init__(self, call: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> None:
        super().__init__(daemon=True)
        self._call = partial(call, *args, **keywords)
        self._answers: list[T] = []
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Is called by the thread."""
        try:
            self._answers.append(self._call())
        except BaseException as error:
            self._error = error

    def answer(self, within: float = 10.0) -> T:
        """What the call answered or raised; `AssertionError` if it is not back in time."""
        self.join(within)
        assert not self.is_alive(), f"the call was not back within {within} s"
        if self._error is not None:
            raise self._error
        return self._answers[0]

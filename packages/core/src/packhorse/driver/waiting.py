"""What is sent to `deferred://` during a request or a block, and waits for its end."""

import contextvars
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packhorse.driver.deferred import DeferredDriver
    from packhorse.driver.message import Message


class Waiting:
    """What waits for the end of one response or block. All verbs are thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[tuple[DeferredDriver, Message]] = deque()
        self._over = False

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Takes what is sent in the block, by this thread or task and those that it starts."""
        token = _waiting.set(self)
        try:
            yield
        finally:
            _waiting.reset(token)

    def take(self, driver: "DeferredDriver", messages: "Sequence[Message]") -> bool:
        """Takes messages; False if the end is over."""
        with self._lock:
            if not self._over:
                self._line.extend((driver, message) for message in messages)
            return not self._over

    def is_over(self) -> bool:
        """Whether there is nothing to run; from then on nothing is taken."""
        with self._lock:
            self._over = not self._line
            return self._over

    def run(self) -> None:
        """Runs all in their order, and what they send themselves; raises nothing that a job raises."""
        # In a context of its own: what a job sets is nobody else's.
        contextvars.Context().run(self._run)

    def _run(self) -> None:
        with self.collecting():
            try:
                while not self.is_over():
                    driver, message = self._line.popleft()
                    driver.run(message)
            except BaseException:  # Ctrl-C: nothing goes without a word
                while not self.is_over():
                    driver, message = self._line.popleft()
                    driver.bury(message)
                raise


_waiting: contextvars.ContextVar[Waiting | None] = contextvars.ContextVar(
    "packhorse_waiting", default=None
)


def here() -> Waiting | None:
    """What waits for the end of what runs in this thread or task, if that is a request or a block."""
    return _waiting.get()

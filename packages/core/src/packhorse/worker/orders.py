"""What a worker is told: to stop, to hurry, to pause, to go on; by signals or from other threads."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from packhorse.worker.plan import StopReason

_Handler = Callable[[int, FrameType | None], None]


class Orders:
    """Read by the worker's main thread. What sets them takes no lock: a signal may interrupt anything.

    `end_by` is the moment by which the worker is to have ended, whatever still runs, on the monotonic
    clock; `grace` is in seconds.
    """

    def __init__(self, grace: float) -> None:
        self.stop = False
        self.restart = False
        self.pause = False
        self.signal: int | None = None
        self.end_by = float("inf")
        self._grace = grace

    @property
    def reason(self) -> StopReason:
        """Why the worker was told to stop."""
        if self.signal is not None:
            return "interrupted"
        return "restarted" if self.restart else "stopped"

    def end(self) -> None:
        """The worker is to end within its grace, which begins now if it has not begun before."""
        self.end_by = min(self.end_by, time.monotonic() + self._grace)
        self.stop = True

    def hurry(self) -> None:
        """The worker is to wait for nothing any more."""
        self.end_by = 0.0

    @contextmanager
    def by_signals(self, *, supervised: bool) -> Iterator[None]:
        """Obeys signals, if this is the main thread; elsewhere the host decides.

        A second one is haste, unless there is a supervisor: then whoever signals to a whole group of
        processes reaches this one twice, and it is the supervisor that tells of haste.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            self.signal = number
            if self.stop and not supervised:
                self.hurry()
            self.end()

        handlers: dict[int, _Handler] = {
            signal.SIGTERM: stop,
            signal.SIGUSR2: self._pause,
            signal.SIGCONT: self._go_on,
        }
        if not supervised:
            handlers[signal.SIGINT] = stop
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        if supervised:
            # What came before there was a handler has waited: a supervisor starts its processes so.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        try:
            yield
        finally:
            if supervised:
                before[signal.SIGUSR2] = signal.SIG_IGN  # it would end what ends anyway
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pause(self, number: int, frame: FrameType | None) -> None:
        self.pause = True

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        self.pause = False

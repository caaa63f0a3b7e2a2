"""Runs `def` jobs on a pool of threads, and interrupts those that run past their time-out."""

import ctypes
import threading
from collections.abc import Callable
from functools import partial

from packhorse.worker.attempt import Ending, Verdict
from packhorse.worker.execution import Execution
from packhorse.worker.pool import Pool
from packhorse.worker.time_up import TimeUp


class ThreadRunner(Pool):
    """Each thread runs handlers itself, and can be interrupted in them."""

    def _hands(self) -> Callable[[Execution], Verdict]:
        return partial(self._run, Slot())

    def _run(self, slot: "Slot", execution: Execution) -> Verdict:
        verdict = self._begin(execution, slot.interrupt)
        if verdict is not None:
            return verdict
        return self._end(execution, self._variables(execution).run(slot.run, execution))


class Slot:
    """One thread of the pool, and the handshake by which its handler may be interrupted.

    An exception is thrown into the thread only between arming and disarming, both under the lock,
    and one that has not arrived by then is waited for, so that it never hits the next job. It cannot
    be taken back: CPython 3.11 would have each thread of the process look for it at every turn from
    then on, and a debugger or a tracer would hang.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = ctypes.c_ulong(threading.get_ident())
        self._armed: Execution | None = None
        self._thrown = False

    def run(self, execution: Execution) -> Ending:
        if not (execution.policy.timeout and execution.policy.soft_timeout):
            return execution.run()
        self._thrown = False
        self._armed = execution
        try:
            ending = execution.run()
            self._disarm()
            return ending
        except TimeUp as error:  # it arrived when the handler had just returned
            self._disarm()
            return execution.ending(error)

    def interrupt(self, execution: Execution) -> None:
        """Throws `TimeUp` into the handler if it still runs; called by the keeper."""
        with self._lock:
            if self._armed is execution and not self._thrown:
                self._thrown = True
                _throw(self._thread)

    def _disarm(self) -> None:
        arrived = False
        while True:
            try:
                with self._lock:
                    self._armed = None
                if self._thrown and not arrived:
                    _throw(self._thread)  # in place of one that is on its way, if there is one
                    while True:  # it arrives with the next turn
                        pass
                return
            except TimeUp:
                arrived = True


def _throw(thread: ctypes.c_ulong) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeUp))

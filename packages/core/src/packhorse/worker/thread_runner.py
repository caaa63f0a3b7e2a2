"""Runs `def` jobs on a pool of threads, and interrupts those that run past their time-out."""

import ctypes
import queue
import threading
import time

from packhorse.worker.attempt import Ending, Verdict
from packhorse.worker.board import Board
from packhorse.worker.execution import Execution, TimeUp
from packhorse.worker.hand import Hand
from packhorse.worker.runner import Finished, Runner


class ThreadRunner(Runner):
    """Up to `concurrency` threads that take executions in the order of their submission.

    `finished` is called in the thread that ran the job. Threads start when they are first needed and
    are daemons: code that cannot be stopped must not keep the process from ending.
    """

    def __init__(
        self,
        hand: Hand,
        concurrency: int,
        rest: float,
        finished: Finished,
        board: Board | None = None,
        grace: float = 0.0,
    ) -> None:
        super().__init__(hand, concurrency, rest, finished, board, grace)
        self._ready: queue.SimpleQueue[Execution | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, execution: Execution) -> None:
        """Hands over an execution; it runs when a thread is free and nobody claimed it before."""
        self._ready.put(execution)
        if len(self._threads) < self._concurrency:
            name = f"packhorse-run-{len(self._threads)}"
            run = self._context.copy().run
            thread = threading.Thread(target=run, args=(self._work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Lets each thread end once it has nothing to run; does not wait for it."""
        for _ in self._threads:
            self._ready.put(None)

    def _work(self) -> None:
        slot = _Slot()
        while (execution := self._ready.get()) is not None:
            if not self._hand.claim(execution):
                continue
            try:
                self._finished(execution, self._run(slot, execution))
            except BaseException:
                self._hand.give_up(execution)
            if self._rest:
                time.sleep(self._rest)

    def _run(self, slot: "_Slot", execution: Execution) -> Verdict:
        verdict = self._begin(execution, slot.interrupt)
        if verdict is not None:
            return verdict
        return self._end(execution, self._variables(execution).run(slot.run, execution))


class _Slot:
    """One thread of the pool, and the handshake by which its handler may be interrupted.

    An exception is thrown into the thread only between arming and disarming, both under the lock,
    and one that has not arrived by then is taken back, so that it never hits the next job.
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
                _throw(self._thread, ctypes.py_object(TimeUp))

    def _disarm(self) -> None:
        while True:
            try:
                with self._lock:
                    self._armed = None
                    if self._thrown:
                        _throw(self._thread, None)
                return
            except TimeUp:
                continue  # it arrived between the handler's end and here


def _throw(
    thread: ctypes.c_ulong, exception: "ctypes.py_object[type[BaseException]] | None"
) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, exception)

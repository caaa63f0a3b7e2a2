"""Threads that take executions in the order of their submission."""

import queue
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from packhorse.worker.attempt import Verdict
from packhorse.worker.execution import Execution
from packhorse.worker.runner import Runner, Terms


class Pool(Runner):
    """Up to `concurrency` threads; `finished` is called in the one that ran the job.

    Threads start when they are first needed and are daemons: code that cannot be stopped must not keep
    the process from ending. A thread that had nothing to do for `PATIENCE` seconds calls `_rest_idle`.
    """

    PATIENCE: ClassVar[float | None] = None
    CALLED: ClassVar[str] = "packhorse-run"

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._ready: queue.SimpleQueue[Execution | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, execution: Execution) -> None:
        """Hands over an execution; it runs when a thread is free and nobody claimed it before."""
        self._ready.put(execution)
        if len(self._threads) < self._concurrency:
            name = f"{self.CALLED}-{len(self._threads)}"
            run = self._context.copy().run
            thread = threading.Thread(target=run, args=(self._work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Lets each thread end once it has nothing to run; does not wait for it."""
        for _ in self._threads:
            self._ready.put(None)

    @abstractmethod
    def _hands(self) -> Callable[[Execution], Verdict | None]:
        """What runs executions in the calling thread; None: nobody is to be told of how that ended."""

    def _rest_idle(self) -> None:
        """Called by a thread that found nothing to do."""

    def _work(self) -> None:
        run = self._hands()
        while True:
            try:
                execution = self._ready.get(timeout=self.PATIENCE)
            except queue.Empty:
                self._rest_idle()
                continue
            if execution is None:
                return
            if not self._claim(execution):
                continue
            try:
                verdict = run(execution)
                if verdict is not None:
                    self._finished(execution, verdict)
            except BaseException:
                self._hand.give_up(execution)
            if self._rest:
                time.sleep(self._rest)

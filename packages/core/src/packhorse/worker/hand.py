"""What a worker has in hand: every delivery from its reservation to its settlement."""

import sys
import threading
import time
from collections.abc import Callable

from packhorse.worker.board import Board
from packhorse.worker.execution import Execution
from packhorse.worker.masking import shown
from packhorse.worker.plan import Load, mean_duration
from packhorse.worker.records import complain, facts


class Hand:
    """Shared by the worker's threads; each step is one dictionary operation, which is atomic.

    A delivery is *unstarted* until somebody claims it, a runner to run it or the keeper to return
    it; claiming decides between them. `taken` is set while there may be something in hand, `room` when
    something left it, and `emptied` is when that was last. `jobs` counts what has run, `failed` what
    failed for good; `noticed` is called when `max_jobs` have run. What has started leaves the `board`
    when it leaves the hand.
    """

    def __init__(
        self, max_jobs: int | None, noticed: Callable[[], None], board: Board | None = None
    ) -> None:
        self.held: dict[bytes, Execution | None] = {}
        self.unstarted: dict[bytes, Execution] = {}
        self.started: dict[bytes, Execution] = {}
        self.taken = threading.Event()
        self.room = threading.Event()
        self.emptied = time.monotonic()
        self.jobs = 0
        self.failed = 0
        self._counting = threading.Lock()
        self._mean: float | None = None
        self._max_jobs = max_jobs
        self._noticed = noticed
        self._board = board

    def take(self, execution: Execution) -> None:
        """A reserved delivery waits for a runner."""
        token = execution.delivery.token
        self.held[token] = execution
        self.unstarted[token] = execution
        if not self.taken.is_set():
            self.taken.set()

    def rest(self) -> None:
        """Clears `taken` if the hand is empty."""
        if not self.held:
            self.taken.clear()
            if self.held:  # it came in between
                self.taken.set()

    def claim(self, execution: Execution) -> bool:
        """Whether the caller may start or return it; False if somebody else did."""
        return self.unstarted.pop(execution.delivery.token, None) is not None

    def start(self, execution: Execution) -> None:
        """A claimed delivery is about to run; from now on its lease is renewed."""
        self.started[execution.delivery.token] = execution

    def give_back(self) -> None:
        """A claimed delivery goes back unstarted: jobs take longer than was measured, so that what
        others could start is not taken again at once."""
        self._mean = None

    def drop(self, tokens: list[bytes]) -> None:
        """These are settled, or not ours any more."""
        for token in tokens:
            self.held.pop(token, None)
            started = self.started.pop(token, None)
            if started is not None and self._board is not None:
                self._board.leave(started.line)
        self.emptied = time.monotonic()
        self.room.set()

    def give_up(self, execution: Execution) -> None:
        """Called where an exception is handled that leaves no outcome to settle: a broken codec, a bug."""
        text = "what became of it cannot be told, its lease will run out"
        complain(facts(execution), text, shown(execution, sys.exception()))
        self.drop([execution.delivery.token])

    def count(self, durations: list[float]) -> None:
        """So many more jobs have run, for so many seconds each; from any thread."""
        if durations:
            with self._counting:
                self.jobs += len(durations)
                self._mean = mean_duration(self._mean, sum(durations), len(durations))
        if self._max_jobs is not None and self.jobs >= self._max_jobs:
            self._noticed()

    def load(self) -> Load:
        return Load(len(self.held), len(self.unstarted), self._mean)

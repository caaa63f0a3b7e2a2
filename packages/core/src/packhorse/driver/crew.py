"""Threads that run messages in this process, when they fall due, until there are none left."""

import contextvars
import heapq
import itertools
import logging
import threading
from collections.abc import Iterable

from packhorse.driver.contract import DriverSetup
from packhorse.driver.message import Counts, Message

LOOK = 0.2
"""Seconds between two looks whether the process is about to end, while something waits for later.
The interpreter joins these threads before it would tell anybody."""

_log = logging.getLogger("packhorse.inline")


class Crew:
    """Up to `size` threads; each lives as long as there is something to run. All verbs are thread-safe.

    The threads are no daemons, so the process, and a child of `multiprocessing`, ends after them.
    """

    def __init__(self, setup: DriverSetup, size: int = 1) -> None:
        # Asked for here: a fork must not meet a thread that is importing what it needs.
        self._runner = setup.runner()
        self._now = setup.clock.monotonic
        self._size = size
        self._order = itertools.count()
        self.after_fork()

    def after_fork(self) -> None:
        """Forgets all: what the parent has is the parent's to run, and its threads are not here."""
        self._changed = threading.Condition()
        self._line: list[tuple[float, int, bool, Message]] = []
        self._running: dict[threading.Thread, Message | None] = {}
        self._finishing: set[threading.Thread] = set()
        self._watched = False

    def put(self, messages: Iterable[Message], repeats: Iterable[Message] = ()) -> None:
        """Takes messages, to run each after its `delay`, and such as have run and are to run again."""
        with self._changed:
            for repeat, some in ((False, messages), (True, repeats)):
                for message in some:
                    due = self._now() + message.delay
                    heapq.heappush(self._line, (due, next(self._order), repeat, message))
            self._changed.notify_all()
            self._start()
            alone = bool(self._line) and not self._running
        if alone:
            self._work()

    def counts(self, queue: str, cap: int) -> Counts:
        """How many messages of a queue are due, wait for later, and run."""
        with self._changed:
            now = self._now()
            due = [at <= now for at, _, _, message in self._line if message.queue == queue]
            running = [one for one in self._running.values() if one and one.queue == queue]
        ready, later, leased = sum(due), len(due) - sum(due), len(running)
        capped = max(ready, later, leased) >= cap
        return Counts(min(ready, cap), min(later, cap), min(leased, cap), capped)

    def finish(self) -> None:
        """Returns when nothing is left: repeats come at once, what was to start later is buried.

        Called by one of the crew's own jobs, it does not wait for that.
        """
        here = threading.current_thread()
        with self._changed:
            self._finishing.add(here)
            self._changed.notify_all()
            while not self._finishing.issuperset(self._running):
                self._changed.wait()
            self._finishing.discard(here)

    def _start(self) -> None:
        """Starts threads for what has none, one of them to wait for what comes later.

        None once the process ends: the interpreter would wait for it no more, or start none.
        """
        if _process_ends():
            return
        busy = sum(message is not None for message in self._running.values())
        while len(self._running) < min(self._size, busy + len(self._line)):
            thread = threading.Thread(target=self._work, name="packhorse-background")
            self._running[thread] = None
            thread.start()

    def _work(self) -> None:
        here = threading.current_thread()
        while (message := self._next(here)) is not None:
            try:
                # In a context of its own: what a job sets is nobody else's.
                after = contextvars.Context().run(self._runner.run, message, quiet=True)
            except BaseException:  # the thread must go on; what a job raises never comes here
                _log.exception("message %s on %r could not be run", message.id, message.queue)
                continue
            repeats = [one for one in after if one.id == message.id]
            self.put([one for one in after if one.id != message.id], repeats)

    def _next(self, here: threading.Thread) -> Message | None:
        """The next message that is due, waiting for it; None: nothing is left for this thread."""
        while True:
            forsaken: list[Message] = []
            with self._changed:
                self._running[here] = None
                if self._finishing or _process_ends():
                    forsaken = self._hurry()
                elif self._line and self._watched and self._line[0][0] > self._now():
                    self._leave(here)
                    return None  # another one waits for it
                if not forsaken:
                    if not self._line:
                        self._leave(here)
                        return None
                    wait = self._line[0][0] - self._now()
                    if wait <= 0:
                        message = heapq.heappop(self._line)[3]
                        self._running[here] = message
                        self._start()
                        return message
                    self._watched = True
                    self._changed.wait(min(wait, LOOK))
                    self._watched = False
            for message in forsaken:
                self.put(self._runner.bury(message, "the process ended before it was to start"))

    def _hurry(self) -> list[Message]:
        """Makes repeats due, and takes out what was to start later."""
        now = self._now()
        later = [one for one in self._line if one[0] > now]
        self._line = [one for one in self._line if one[0] <= now]
        self._line += [(now, order, True, message) for _, order, repeat, message in later if repeat]
        heapq.heapify(self._line)
        return [message for _, _, repeat, message in later if not repeat]

    def _leave(self, here: threading.Thread) -> None:
        del self._running[here]
        self._changed.notify_all()


def _process_ends() -> bool:
    return not threading.main_thread().is_alive()

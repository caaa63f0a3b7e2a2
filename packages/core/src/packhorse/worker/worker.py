"""`Worker`: one process's worker on one connection; builds the parts, watches them, winds them up."""

import contextvars
import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse import events
from packhorse.current import choose
from packhorse.errors import ConfigError
from packhorse.options import NOTHING, OptionSet
from packhorse.worker.attempt import Verdict
from packhorse.worker.closing import close
from packhorse.worker.companion import Companion
from packhorse.worker.execution import Execution, Site
from packhorse.worker.fetcher import Fetcher
from packhorse.worker.hand import Hand
from packhorse.worker.keeper import Keeper
from packhorse.worker.loop_runner import LoopRunner
from packhorse.worker.memory import resident
from packhorse.worker.plan import EXIT_CODES, Limits, Progress, StopReason, stop_reason
from packhorse.worker.policy import Policies
from packhorse.worker.runner import ThreadRunner
from packhorse.worker.settler import Settler
from packhorse.worker.telling import tell_lost

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.plugin.specs import Service

WATCH = 0.25
"""Seconds between two looks at the limits of time and memory; the others are noticed at once."""

_log = logging.getLogger("packhorse.worker")


class Report(Struct, frozen=True):
    """How a worker ended: why, after how many jobs, and how many were still running then."""

    reason: StopReason
    jobs: int
    unfinished: int = 0

    @property
    def exit_code(self) -> int:
        """0, 12 if the memory limit was reached, 1 if jobs were still running when grace was over."""
        return EXIT_CODES[self.reason] or (1 if self.unfinished else 0)


class Worker:
    """Runs the jobs of some queues, in order of preference, until it is told to stop.

    `concurrency` is how many `def` jobs, and how many `async def` jobs, run at once. `name` is for
    people to read; each start gets a name of its own from it.
    """

    def __init__(
        self,
        app: "Packhorse",
        connection: "Connection",
        queues: Sequence[str],
        *,
        concurrency: int = 8,
        name: str | None = None,
        flags: OptionSet = NOTHING,
        sleep: float = 5.0,
        rest: float = 0.0,
        grace: float = 30.0,
    ) -> None:
        if isinstance(queues, str):
            raise ConfigError(f"queues={queues!r} is one name; give a list: [{queues!r}]")
        if concurrency < 1:
            raise ConfigError(f"concurrency={concurrency} must be 1 or more")
        self._app = app
        self._connection = connection
        self.queues = tuple(dict.fromkeys(queues))
        self.concurrency = concurrency
        base = name or f"{socket.gethostname()}-{os.getpid()}"
        self.name = f"{base}-{secrets.token_hex(4)}"
        self._flags = flags
        self._sleep = sleep
        self._rest = rest
        self._grace = grace
        self._look = threading.Event()
        self._told = False
        self._hurried = False
        self._signal: int | None = None

    def stop(self) -> None:
        """Ends `run` as SIGTERM does: running jobs may finish; from any thread."""
        self._told = True
        self._look.set()

    def run(
        self,
        *,
        stop_when_empty: bool = False,
        stop_when_empty_for: float | None = None,
        max_jobs: int | None = None,
        max_time: float | None = None,
        max_memory: int | None = None,
    ) -> Report:
        """Works until a limit is reached (jobs, seconds, bytes), a signal comes or `stop` is called.

        Then it reserves no more, gives back what has not started and waits `grace` seconds for what
        runs. In the main thread SIGTERM and SIGINT stop it; a second one ends the waiting. Raises
        `ConfigError`, `UnknownDriver` or `PluginError` if it cannot start.
        """
        limits = Limits(max_jobs, max_time, max_memory, stop_when_empty, stop_when_empty_for)
        # A worker that waits blocks in `reserve`; one that must notice an empty spell looks sooner.
        sleep = min(self._sleep, stop_when_empty_for or self._sleep)
        parts = _Parts(self, self._app, self._connection, limits, sleep, self._look.set)
        with self._signals(), self._services():
            self._tell(events.WorkerStarting)
            parts.start()
            reason = self._watch(parts, limits)
            if self._signal is not None:
                self._tell(events.WorkerInterrupted, signal=self._signal)
            unfinished = parts.wind_up(self._grace, lambda: self._hurried)
        report = Report(reason, parts.hand.jobs, unfinished)
        self._tell(events.WorkerStopping, reason=reason, jobs=report.jobs)
        return report

    def _watch(self, parts: "_Parts", limits: Limits) -> StopReason:
        started = time.monotonic()
        while not self._told:
            self._look.wait(WATCH)
            self._look.clear()
            now = time.monotonic()
            idle_since, hand = parts.fetcher.idle_since, parts.hand
            progress = Progress(
                jobs=hand.jobs,
                age=now - started,
                idle=0.0 if idle_since is None else now - idle_since,
                memory=resident() if limits.max_memory is not None else 0,
                empty=parts.fetcher.empty,
            )
            reason = stop_reason(limits, progress)
            if reason is not None:
                return reason
        return "stopped" if self._signal is None else "interrupted"

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop the worker, if this is the main thread; elsewhere the host decides."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def told(number: int, frame: object) -> None:
            # It may interrupt this very thread where that holds a lock, so it takes none.
            self._hurried = self._told
            self._signal = number
            self._told = True

        before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _services(self) -> Iterator[None]:
        """The plugins' services start before the first reservation and stop after the last settlement."""
        started: list[tuple[str, Service]] = []
        try:
            for name, make in self._app.wiring.services.items():
                service = make(self._app)
                service.start()
                started.append((name, service))
            yield
        finally:
            for name, service in reversed(started):
                try:
                    service.stop()
                except Exception:
                    _log.exception("service %s did not stop as it should", name)

    def _tell(self, event: type[events.WorkerEvent], **facts: object) -> None:
        if self._app.bus.hears(event):
            self._app.bus.emit(
                event(
                    worker=self.name,
                    connection=self._connection.name,
                    queues=self.queues,
                    **facts,
                )
            )

    def troubled(self, error: Exception, pause: float) -> None:
        """A broker call failed and will be repeated."""
        _log.warning("%s; trying again in %.1f s", error, pause)
        self._tell(events.ConnectionTroubled, error=str(error), retry_in=pause)


class _Parts:
    """The threads of one run, and the order in which they start and end."""

    def __init__(
        self,
        worker: Worker,
        app: "Packhorse",
        connection: "Connection",
        limits: Limits,
        sleep: float,
        noticed: Callable[[], None],
    ) -> None:
        self.site = Site(
            worker.name,
            connection,
            app.bus,
            Policies(worker._flags),
            connection.known_codecs(),
            app.wiring.middleware,
        )
        self.hand = Hand(limits.max_jobs, noticed)
        self.consumer = connection.driver.consumer(worker.name)
        lease = connection.settings.lease
        companion = Companion.of(connection, worker.name)
        self.settler = Settler(self.site, self.consumer, self.hand, companion, worker.troubled)
        by_clock = connection.driver.capabilities.fencing == "clock"
        self.keeper = Keeper(
            self.consumer, self.hand, lease, by_clock, self.settler.put, worker.troubled
        )
        context = contextvars.Context()
        context.run(choose, app)  # what a job dispatches goes through the app that runs it
        runner = (self.hand, worker.concurrency, worker._rest, context, self._finished)
        self.threads = ThreadRunner(*runner)
        self.loop = LoopRunner(*runner)
        self.fetcher = Fetcher(
            self.site,
            self.consumer,
            self.hand,
            worker.queues,
            concurrency=worker.concurrency,
            limits=limits,
            sleep=sleep,
            unknown_limit=app.settings.unknown_job_limit,
            companion=companion,
            submit=self._submit,
            settle=self.settler.put,
            troubled=worker.troubled,
            noticed=noticed,
        )

    def start(self) -> None:
        self.settler.start()
        self.keeper.start()
        self.fetcher.start()

    def wind_up(self, grace: float, hurry: Callable[[], bool]) -> int:
        """Lets what runs finish, within `grace` seconds; how many had not."""
        self.fetcher.stop()
        self.keeper.return_unstarted()
        end = time.monotonic() + grace
        while self.hand.held and time.monotonic() < end and not hurry():
            self.hand.room.clear()
            if self.hand.held:
                self.hand.room.wait(0.1)
        unfinished = len(self.hand.started)
        self.threads.stop()
        self.loop.stop()
        self.keeper.stop()
        self.settler.stop(within=max(1.0, end - time.monotonic()))
        self.consumer.close()
        if unfinished:
            _log.warning(
                "%d jobs were still running when grace was over; they run again when their lease ends",
                unfinished,
            )
        return unfinished

    def _submit(self, execution: Execution) -> None:
        (self.loop if execution.definition.is_async else self.threads).submit(execution)

    def _finished(self, execution: Execution, verdict: Verdict) -> None:
        if execution.lost:
            self.hand.count([execution.duration])  # it ran, whatever became of it
            self.hand.drop([execution.delivery.token])
            tell_lost(execution, repeated=False)
        else:
            self.settler.put(close(execution, verdict))

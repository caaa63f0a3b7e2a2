"""`Worker`: one process's worker on one connection; opens its parts, watches them, stops them."""

import contextvars
import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct

from packhorse import events
from packhorse.current import choose
from packhorse.errors import ConfigError, ConnectionLost
from packhorse.options import NOTHING, OptionSet
from packhorse.worker.health import ProcessHealth
from packhorse.worker.memory import resident
from packhorse.worker.orders import Orders
from packhorse.worker.parts import Parts
from packhorse.worker.plan import (
    EXIT_CODES,
    Limits,
    Progress,
    Recycling,
    StopReason,
    stop_reason,
    trouble_pause,
)
from packhorse.worker.rescuing import take_over
from packhorse.worker.threads import thread
from packhorse.worker.watchdog import Watchdog

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.plugin.specs import Service
    from packhorse.worker.supervised import Died, Supervised

WATCH = 0.25
"""Seconds between two looks at the limits of time and memory; the others are noticed at once."""

NO_RECYCLING = Recycling()

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
    people to read; each start gets a name of its own from it. In seconds: `sleep` is the longest wait
    for a job, `rest` a pause after each, `grace` how long running jobs may go on after the end was
    asked for. In a process of its own it is `supervised`. `imports` are modules that the processes of
    isolated jobs import, beside those that have the jobs.
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
        sleep: float = 20.0,
        rest: float = 0.0,
        grace: float = 30.0,
        supervised: "Supervised | None" = None,
        imports: Sequence[str] = (),
    ) -> None:
        if isinstance(queues, str):
            raise ConfigError(f"queues={queues!r} is one name; give a list: [{queues!r}]")
        if concurrency < 1:
            raise ConfigError(f"concurrency={concurrency} must be 1 or more")
        self._app = app
        self._connection = connection
        self.queues = connection.lines(queues)
        self.concurrency = concurrency
        base = name or f"{socket.gethostname()}-{os.getpid()}"
        self.name = supervised.name if supervised else f"{base}-{secrets.token_hex(4)}"
        self._supervised = supervised
        self._flags = flags
        self._imports = imports
        self._sleep = sleep
        self._rest = rest
        self._grace = grace
        self._look = threading.Event()
        self._born = supervised.born if supervised else time.time()
        self._orders = Orders(grace)
        self._paused = False
        self._parts: Parts | None = None

    def stop(self) -> None:
        """Ends `run` as SIGTERM does: running jobs may finish; from any thread."""
        self._orders.end()
        self._look.set()

    def _restart(self) -> None:
        self._orders.restart = self._orders.stop = True
        self._look.set()

    def run(
        self,
        *,
        stop_when_empty: bool = False,
        stop_when_empty_for: float | None = None,
        max_jobs: int | None = None,
        max_time: float | None = None,
        max_memory: int | None = None,
        recycling: Recycling = NO_RECYCLING,
        leave: Callable[[Report], NoReturn] | None = None,
    ) -> Report:
        """Works until a limit is reached (jobs, seconds, bytes), a signal comes or `stop` is called.

        Then it reserves no more, gives back what has not started and waits `grace` seconds for what
        runs, or to make room for a fresh process until it is done or timed out. In the main thread
        SIGTERM and SIGINT stop it; a second one ends the waiting; SIGUSR2 pauses it and SIGCONT lets it
        go on. Raises `ConfigError`, `UnknownDriver` or `PluginError` if it cannot start.

        What still runs then keeps its lease, so that nobody else runs it meanwhile. With `leave`,
        which ends the process at once, it is settled first: a job past its time-out has failed, any
        other goes back.
        """
        limits = Limits(
            max_jobs,
            max_time,
            max_memory,
            stop_when_empty,
            stop_when_empty_for,
            recycling.spread(random.random()),
        )
        # A worker that waits blocks in `reserve`; one that must notice an empty spell looks sooner.
        sleep = min(self._sleep, stop_when_empty_for or self._sleep)
        context = contextvars.Context()
        context.run(choose, self._app)  # what jobs and listeners dispatch goes through this app
        return context.run(self._run, limits, sleep, leave)

    def _run(
        self, limits: Limits, sleep: float, leave: Callable[[Report], NoReturn] | None
    ) -> Report:
        if self._supervised is not None:
            self._supervised.listen(self._take_over, self._orders.hurry, self.stop)
        with self._orders.by_signals(supervised=self._supervised is not None):
            self._parts = parts = self._open(limits, sleep)
            if parts is None:
                return Report(self._orders.reason, 0)
            with self._services():
                self._tell(events.WorkerStarting)
                self._heed(parts)  # before anything is taken
                parts.start()
                reason = self._watch(parts, limits)
                if self._orders.signal is not None:
                    self._tell(events.WorkerInterrupted, signal=self._orders.signal)
                if reason not in ("recycled", "restarted"):
                    self._orders.end()
                deaf = reason == "deaf"  # then nothing runs, and the broker cannot be waited for
                unfinished = 0 if deaf else parts.wind_up(self._orders)
            report = Report(reason, parts.hand.jobs, unfinished)
            self._tell(events.WorkerStopping, reason=reason, jobs=report.jobs)
        if leave is not None and deaf:
            leave(report)
        if leave is not None and unfinished:
            parts.abandon(lambda: leave(report))
        if deaf:  # some call hangs, maybe for ever
            thread("desert", partial(parts.desert, self._orders)).start()
        else:
            parts.close()
        return report

    def health(self) -> ProcessHealth:
        """Whether the broker has answered lately; from any thread."""
        parts = self._parts
        if parts is None:
            return ProcessHealth(self.name, False, 0)
        return ProcessHealth(self.name, parts.consumer.well, len(parts.hand.started))

    def _open(self, limits: Limits, sleep: float) -> Parts | None:
        """Waits for a broker that is away; None: told to stop before it came."""
        failures = 0
        while not self._orders.stop:
            try:
                return Parts(
                    self._app,
                    self._connection,
                    self.queues,
                    name=self.name,
                    concurrency=self.concurrency,
                    flags=self._flags,
                    limits=limits,
                    sleep=sleep,
                    rest=self._rest,
                    grace=self._grace,
                    board=self._supervised.board if self._supervised else None,
                    imports=self._imports,
                    born=self._born,
                    noticed=self._look.set,
                    restart=self._restart,
                    troubled=self.troubled,
                )
            except ConnectionLost as error:
                failures += 1
                pause = trouble_pause(failures, random.random())
                self.troubled(error, pause)
                self._look.wait(pause)
        return None

    def _watch(self, parts: Parts, limits: Limits) -> StopReason:
        started = time.monotonic()
        dog = Watchdog(parts.consumer.patience, started)
        while not self._orders.stop:
            self._look.wait(WATCH)
            self._look.clear()
            self._heed(parts)
            now = time.monotonic()
            idle_since, hand = parts.fetcher.idle_since, parts.hand
            silence = dog.look(now, parts.consumer.answered)
            if silence == "open anew":
                thread("reopen", parts.consumer.rebuild).start()
            progress = Progress(
                jobs=hand.jobs,
                age=now - started,
                idle=0.0 if idle_since is None else now - idle_since,
                memory=resident() if limits.looks_at_memory else 0,
                empty=parts.fetcher.empty,
                stuck=any(
                    execution.cannot_be_stopped(self._grace, now)
                    for execution in list(hand.started.values())
                ),
                deaf=silence == "deaf" and not hand.started,
            )
            reason = stop_reason(limits, progress)
            if reason is not None:
                return reason
        return self._orders.reason

    def _heed(self, parts: Parts) -> None:
        """Pauses or goes on as it was told."""
        paused = self._orders.pause
        if paused != self._paused:
            self._paused = paused
            parts.pause(paused)
            self._tell(events.WorkerPaused if paused else events.WorkerResumed)

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

    def _take_over(self, died: "Died") -> None:
        take_over(
            self._app, self._connection, self.queues, died, lambda: self._orders.stop, self.troubled
        )

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

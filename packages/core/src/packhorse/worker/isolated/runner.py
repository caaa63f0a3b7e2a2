"""Runs jobs in processes of their own: warm ones that are used again, killed when a job must end."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

from packhorse import last_resort
from packhorse.errors import JobCrashed, JobDefinitionError
from packhorse.options import Isolation
from packhorse.worker import evidence
from packhorse.worker.attempt import Ending, Verdict
from packhorse.worker.board import NEVER
from packhorse.worker.execution import Execution
from packhorse.worker.failure import text_of
from packhorse.worker.isolated.ending import crashed, ended, not_started, timed_out
from packhorse.worker.isolated.frames import (
    Birth,
    Cancel,
    Ended,
    Farewell,
    Interrupt,
    Ready,
    Said,
    Task,
)
from packhorse.worker.isolated.place import Place, place_of
from packhorse.worker.isolated.process import Process
from packhorse.worker.pool import Pool
from packhorse.worker.runner import Terms
from packhorse.worker.site import Site

GRACE = 1.0
"""Seconds between the time-out and the end of the process: for the handler to tidy up."""
TICK = 0.05
"""Seconds between two looks at what is to be passed on to the handler."""
START = 60.0
"""Seconds that a process may take to start and import what it needs."""
REUSES = 1000
"""Jobs that one process runs before a fresh one takes its place."""
IDLE = 60.0
"""Seconds for which a process is kept that has nothing to do."""
NO_LIMITS = Isolation()


class IsolatedRunner(Pool):
    """Each of its threads looks after one process at a time, whose last words it keeps.

    `imports` are modules that a process imports before it runs anything, beside those of the jobs.
    """

    PATIENCE = IDLE
    CALLED = "packhorse-isolated"

    def __init__(self, terms: Terms, site: Site, imports: Sequence[str]) -> None:
        super().__init__(terms)
        self._site = site
        self._imports = tuple(imports)
        self._changed = threading.Condition()
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        self._ending = False

    def end(self) -> None:
        """Kills all processes at once and waits for that; what they ran is reported to nobody."""
        with self._changed:
            self._ending = True
            for process in self._busy:
                process.kill()
            idle, self._idle = self._idle, []
        for process in idle:
            process.dismiss()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, 5.0)

    def stop(self) -> None:
        """Ends the threads and all processes."""
        super().stop()
        self.end()

    def _hands(self) -> Callable[[Execution], Verdict | None]:
        return self._run

    def _rest_idle(self) -> None:
        with self._changed:
            before = time.monotonic() - IDLE / 2
            old = [process for process in self._idle if process.idle_since < before]
            self._idle = [process for process in self._idle if process.idle_since >= before]
        for process in old:
            process.dismiss()

    def _run(self, execution: Execution) -> Verdict | None:
        execution.isolated = True
        verdict = self._begin(execution, None)
        if verdict is not None:
            return evidence.add(execution, verdict)
        place = place_of(execution.definition)
        if isinstance(place, str):
            job = execution.envelope.job
            refused = JobDefinitionError(f"job {job} cannot run in a process of its own: {place}")
            execution.context.fail(refused)
            return self._end(execution, execution.ending(None))
        ending = self._attempt(execution, place)
        return None if ending is None else self._end(execution, ending)

    def _attempt(self, execution: Execution, place: Place) -> Ending | None:
        """How the run ended; None: it was ended with all others."""
        execution.started = NEVER  # its time begins when the process is there
        try:
            process = self._given_to(_task(execution, place))
        except JobCrashed as error:
            execution.started = time.monotonic()
            return None if self._ending else not_started(execution, error)
        execution.started = time.monotonic()
        try:
            answer = self._look_after(process, execution)
        finally:
            self._done_with(process)
        if answer is not None:
            return ended(execution, answer)
        if self._ending:
            return None
        if execution.timed_out:
            return timed_out(execution)
        return crashed(execution, process)

    def _look_after(self, process: Process, execution: Execution) -> Ended | None:
        """Passes on what the handler is to know, and kills the process at the time-out. None: it died."""
        limit = execution.policy.timeout
        kill_at = execution.started + limit + GRACE if limit else NEVER
        interrupted = cancelled = parted = False
        ending = self._site.interruption
        while process.died is None:
            answer = process.listen(TICK)
            if isinstance(answer, Ended):
                return answer
            if isinstance(answer, Said):
                execution.context.reported = answer.number, answer.progress
            now = time.monotonic()
            if execution.timed_out and not interrupted:
                interrupted = process.tell(Interrupt())
                kill_at = min(kill_at, now + GRACE)
            if execution.context.cancelled and not cancelled:
                cancelled = process.tell(Cancel())
            if ending is not None and ending.event.is_set() and not parted:
                parted = process.tell(Farewell(ending.signal))
            if now >= kill_at:
                execution.timed_out = True
                process.kill()
        return None

    def _given_to(self, task: Task) -> Process:
        """The process that has taken the job; raises `JobCrashed` if none can be started."""
        while True:
            process = self._warm() or self._fresh()
            process.begin()
            if process.tell(task):
                return process
            self._done_with(process, broken=True)

    def _warm(self) -> Process | None:
        with self._changed:
            while self._idle and not self._ending:
                process = self._idle.pop()
                if process.is_alive():
                    self._busy.add(process)
                    return process
        return None

    def _fresh(self) -> Process:
        site = self._site
        birth = Birth(
            sys.path,
            os.environ.get("PYTHONPATH"),
            self._imports,
            site.app.settings,
            site.connection.name,
            site.worker,
            site.policies.flags,
            last_resort.installed(),
        )
        try:
            process = Process(birth)
        except (
            OSError,
            TypeError,
            ValueError,
        ) as error:  # no memory; settings that cannot be written
            raise JobCrashed(f"no process of its own could be started: {text_of(error)}") from error
        with self._changed:
            self._busy.add(process)
            if self._ending:
                process.kill()
        end = time.monotonic() + START
        while not isinstance(process.listen(TICK), Ready):
            if process.died is not None or time.monotonic() >= end:
                self._done_with(process, broken=True)
                raise JobCrashed(
                    f"the process of its own did not start; it said:\n{process.last_words()}"
                )
        return process

    def _done_with(self, process: Process, *, broken: bool = False) -> None:
        """Keeps a process that may run another job."""
        with self._changed:
            keep = process.is_alive() and not broken and process.jobs < REUSES and not self._ending
        if not keep:
            process.dismiss()
        with self._changed:
            self._busy.discard(process)
            if keep:
                process.idle_since = time.monotonic()
                self._idle.append(process)
            self._changed.notify_all()


def _task(execution: Execution, place: Place) -> Task:
    delivery, isolate = execution.delivery, execution.policy.isolate
    return Task(
        delivery.message.id,
        delivery.message.queue,
        delivery.message.body,
        delivery.token,
        delivery.deliveries,
        delivery.reserved_at,
        execution.arrived,
        place,
        isolate if isinstance(isolate, Isolation) else NO_LIMITS,
        bool(execution.policy.keep_result),
        execution.passage is not None,
    )

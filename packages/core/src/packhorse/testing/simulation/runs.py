"""Which handlers run, where, and which have taken effect."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from packhorse.driver.contract import Capabilities
from packhorse.testing.simulation.world import Process, World, short
from packhorse.worker.attempt import Again, Finish, Verdict
from packhorse.worker.execution import Execution


class Run:
    """A handler that runs; `late` says whether its worker renews late."""

    def __init__(self, execution: Execution, worker: Process, late: Callable[[], bool]) -> None:
        self.execution = execution
        self.worker = worker
        self.late = late

    def holds(self, now: float) -> bool:
        """Whether the worker has reason to think that the lease is its own."""
        return now < self.execution.deadline and not self.execution.lost


class Runs:
    """The handlers of all processes, by their tokens.

    `effects` says how often each job has taken effect: it ran to its end, and a settlement said so.
    """

    def __init__(self, world: World, can: Capabilities) -> None:
        self.jobs = 0
        self.effects: Counter[int] = Counter()
        self._world = world
        self._fenced = can.fencing == "broker"
        self._running: dict[bytes, Run] = {}
        self._ran: dict[bytes, tuple[int, Verdict]] = {}
        self._failing: dict[bytes, int] = {}
        self._finished: dict[UUID, int] = {}
        self._by_copy: set[int] = set()

    def started(self, run: Run) -> None:
        """A handler starts."""
        self.jobs += 1
        execution = run.execution
        id = execution.delivery.message.id
        self._world.tell(f"runs {short(id)}, which is job {number_of(execution)}")
        for token, other in list(self._running.items()):
            if other.worker.dead:
                del self._running[token]
            elif other.holds(self._world.now):
                self._beside(run, other)
        self._running[execution.delivery.token] = run

    def _beside(self, run: Run, other: Run) -> None:
        """Two run at once, both in good faith."""
        id, twin = (one.execution.delivery.message.id for one in (run, other))
        if id == twin:
            # Where only a clock fences, a message that was put back may be there in two copies.
            if self._fenced or _copy(run) == _copy(other):
                self._world.fail(f"{short(id)} runs twice at once, held by {other.worker.name}")
            return
        key, beside = (one.execution.arguments.key for one in (run, other))  # type: ignore[attr-defined]
        if key and key == beside:
            self._world.fail(f"{short(id)} runs beside {short(twin)}, which holds its key {key!r}")

    def ended(self, execution: Execution, verdict: Verdict) -> None:
        """A handler has ended."""
        token, number = execution.delivery.token, number_of(execution)
        self._running.pop(token, None)
        self._ran[token] = (number, verdict)
        if _ended_well(verdict):
            self._finished[execution.delivery.message.id] = number
        if isinstance(verdict, Again):
            self._failing[token] = verdict.failed

    def of(self, token: bytes | None) -> Run | None:
        """What runs under a token."""
        return self._running.get(token or b"")

    def failures(self, token: bytes, before: int) -> int:
        """How many failures a retry under this token has banked."""
        return self._failing.pop(token, before)

    def done(self, token: bytes, id: UUID, exact: bool) -> None:
        """A message was settled as done."""
        ran = self._ran.pop(token, None)
        if ran is not None and _ended_well(ran[1]):
            if ran[0] not in self._by_copy:
                self._effect(ran[0], id)
        elif not exact and id in self._finished:
            # It ran to its end, which its worker wrote down before it died; a copy only takes it off.
            number = self._finished[id]
            if not self.effects[number]:
                self.effects[number] = 1
                self._by_copy.add(number)

    def _effect(self, number: int, id: UUID) -> None:
        self.effects[number] += 1
        if self.effects[number] > 1 and self._fenced:
            self._world.fail(f"job {number}, {short(id)}, has taken effect twice")

    def in_process(self, worker: Process) -> list[UUID]:
        """What a process runs, for whoever saw it die."""
        return [
            run.execution.delivery.message.id
            for run in self._running.values()
            if run.worker is worker
        ]


def _copy(run: Run) -> bytes:
    return run.execution.delivery.token[:8]


def _ended_well(verdict: Verdict) -> bool:
    return isinstance(verdict, Finish) and verdict.result == "done"


def number_of(execution: Execution) -> int:
    """The number of the job that an execution runs."""
    return int(execution.arguments.number)  # type: ignore[attr-defined]

"""What every runner does round a handler: opens the message before it, decides what follows after."""

import contextvars
import time
from collections.abc import Callable

from msgspec import Struct

from packhorse.worker.attempt import Ending, Verdict
from packhorse.worker.board import NEVER, Board
from packhorse.worker.execution import Execution
from packhorse.worker.hand import Hand
from packhorse.worker.telling import tell_attempted, tell_running

Finished = Callable[[Execution, Verdict], None]
"""What a runner tells about an execution that is over."""


class Terms(Struct, frozen=True):
    """On which terms a runner works: up to `concurrency` executions at once, `rest` seconds after each.

    `finished` is told of those that are over. On a `board`, what has started is written for the
    supervisor, which kills the process if a job runs on long after its time-out: `grace` seconds are
    for the process to end by itself, and as many for what else it runs.
    """

    hand: Hand
    concurrency: int
    rest: float
    finished: Finished
    board: Board | None = None
    grace: float = 0.0


class Runner:
    """Runs executions that are in hand.

    Each job runs in a copy of the context in which the runner was made, or the one in which its guards
    ran: the worker's app is current there, and what one job sets is not seen by the next.
    """

    def __init__(self, terms: Terms) -> None:
        self._hand = terms.hand
        self._board = terms.board
        self._grace = terms.grace
        self._concurrency = terms.concurrency
        self._rest = terms.rest
        self._finished = terms.finished
        self._context = contextvars.copy_context()

    def _claim(self, execution: Execution) -> bool:
        """Whether an execution is to run here.

        What waited until its lease had ended may be run by somebody else: it stays in the hand, for the
        keeper to return.
        """
        return time.monotonic() < execution.deadline and self._hand.claim(execution)

    def _variables(self, execution: Execution) -> contextvars.Context:
        passage = execution.passage
        return self._context.copy() if passage is None else passage.variables

    def _begin(
        self, execution: Execution, stop: Callable[[Execution], None] | None
    ) -> Verdict | None:
        """Opens the message and tells that it runs, `stop` interrupting it; a verdict if it is not to run.

        Without `stop` the caller sees to it that the job ends.
        """
        verdict = execution.prepare()
        if verdict is None:
            tell_running(execution)
            execution.stop = stop
            execution.started = now = time.monotonic()
            self._hand.start(execution)
            if self._board is not None:
                self._enter(self._board, execution, now)
        return verdict

    def _enter(self, board: Board, execution: Execution, now: float) -> None:
        policy, id = execution.policy, execution.delivery.message.id
        if (
            execution.isolated
        ):  # its own process is killed; whoever may never be lost is always blamed
            execution.line = board.enter(id, now, NEVER, alone=policy.max_losses > 0)
        else:
            kill_at = now + policy.timeout + 2 * self._grace if policy.timeout else NEVER
            execution.line = board.enter(id, now, kill_at)

    def _end(self, execution: Execution, ending: Ending) -> Verdict:
        """What follows from how the handler ended."""
        execution.duration = time.monotonic() - execution.started
        if self._board is not None:
            self._board.is_over(execution.line)
        tell_attempted(execution, ending)
        return execution.conclude(ending)

"""Tells running jobs that their worker is about to end, so that they can write down how far they are."""

import threading
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from packhorse.context import enter
from packhorse.worker.masking import shown
from packhorse.worker.records import complain, facts
from packhorse.worker.threads import thread

if TYPE_CHECKING:
    from packhorse.worker.execution import Execution


class Interruption:
    """One worker's; `event` is what `ctx.interrupted` and `ctx.wait` look at.

    `signal` is the number of what ends the worker, once the event is set. A job's `interrupted` runs in
    a thread of its own, so that it holds up neither its own handler nor anybody else's, nor the end.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal = 0
        self._told: set[bytes] = set()

    def tell(self, signal: int, running: "Iterable[Execution]") -> None:
        """Tells those that run here and were not told yet; what runs isolated is told by its process."""
        self.signal = signal
        for execution in running:
            tells = execution.definition.on_interrupted is not None and not execution.isolated
            token = execution.delivery.token
            if tells and token not in self._told:
                self._told.add(token)
                thread("interrupt", partial(_call, execution, signal)).start()
        self.event.set()  # only now: a job that waits for it may be gone at once


def _call(execution: "Execution", signal: int) -> None:
    hook = execution.definition.on_interrupted
    assert hook is not None
    enter(execution.context)
    try:
        hook(execution.arguments, signal)
    except BaseException as error:
        complain(facts(execution), "its interrupted() raised", shown(execution, error))

"""Tells running jobs that their worker is about to end, so that they can write down how far they are."""

import logging
import threading
from functools import partial

from packhorse.context import enter
from packhorse.worker.execution import Execution
from packhorse.worker.hand import Hand
from packhorse.worker.masking import shown
from packhorse.worker.threads import thread

_log = logging.getLogger("packhorse.worker")


class Interruption:
    """One worker's; `event` is what `ctx.interrupted` and `ctx.wait` look at.

    A job's `interrupted` runs in a thread of its own, so that it holds up neither its own handler nor
    anybody else's, nor the end.
    """

    def __init__(self, hand: Hand) -> None:
        self.event = threading.Event()
        self._hand = hand
        self._told: set[bytes] = set()

    def tell(self, signal: int) -> None:
        """Tells those that run and were not told yet; `signal` is the number of what ends the worker."""
        for token, execution in list(self._hand.started.items()):
            tells = execution.definition.on_interrupted is not None and not execution.isolated
            if tells and token not in self._told:
                self._told.add(token)
                thread("interrupt", partial(_call, execution, signal)).start()
        self.event.set()  # only now: a job that waits for it may be gone at once


def _call(execution: Execution, signal: int) -> None:
    hook = execution.definition.on_interrupted
    assert hook is not None
    enter(execution.context)
    try:
        hook(execution.arguments, signal)
    except BaseException as error:
        _log.error(
            "job %s %s: its interrupted() raised",
            execution.envelope.job,
            execution.delivery.message.id,
            exc_info=shown(execution, error),
        )

"""The three ways in which a job runs here: in a thread, on the event loop, in a process of its own."""

from collections.abc import Sequence

from packhorse.worker.execution import Execution
from packhorse.worker.isolated.place import runs_alone
from packhorse.worker.isolated.runner import IsolatedRunner
from packhorse.worker.loop_runner import LoopRunner
from packhorse.worker.runner import Terms
from packhorse.worker.site import Site
from packhorse.worker.thread_runner import ThreadRunner


class Runners:
    """Hands each job to the runner for its kind; `imports` are for the processes."""

    def __init__(self, terms: Terms, site: Site, imports: Sequence[str]) -> None:
        self._threads = ThreadRunner(terms)
        self._loop = LoopRunner(terms)
        self._isolated = IsolatedRunner(terms, site, imports)

    def submit(self, execution: Execution) -> None:
        """May be called from any thread."""
        if runs_alone(execution):
            self._isolated.submit(execution)
        else:
            (self._loop if execution.definition.is_async else self._threads).submit(execution)

    def kill(self) -> None:
        """Ends the processes of their own, and what runs there; it is reported to nobody."""
        self._isolated.end()

    def stop(self) -> None:
        """Ends the threads once they have nothing to do."""
        self._isolated.stop()
        self._threads.stop()
        self._loop.stop()

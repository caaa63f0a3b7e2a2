"""Runs `async def` jobs on one event loop in a thread of its own."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from packhorse.worker.attempt import Bury
from packhorse.worker.execution import Execution
from packhorse.worker.runner import Runner, Terms


class LoopRunner(Runner):
    """Up to `concurrency` tasks at once, in the order of submission.

    `finished` is called on the loop, except for a job that failed for good and wants to be told:
    that call runs in a helper thread, because `failed` is ordinary code and may block.
    """

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms)
        self._ready: deque[Execution] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._announced = False
        self._ending = False

    def submit(self, execution: Execution) -> None:
        """Hands over an execution; called by the fetching thread only."""
        self._ready.append(execution)
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._serve, name="packhorse-loop", daemon=True).start()
        # One wake-up covers all that is submitted until the loop looks.
        if not self._announced:
            self._announced = True
            self._loop.call_soon_threadsafe(self._look)

    def stop(self) -> None:
        """Ends the loop and cancels what still runs; does not wait."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._halt)

    def _serve(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _look(self) -> None:
        self._announced = False
        self._fill()

    def _fill(self) -> None:
        while self._ready and len(self._tasks) < self._concurrency:
            execution = self._ready.popleft()
            if self._claim(execution):
                variables = self._variables(execution)
                task = asyncio.Task(self._run(execution), loop=self._loop, context=variables)
                self._tasks.add(task)
                task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._fill()

    async def _run(self, execution: Execution) -> None:
        try:
            await self._attempt(execution)
        except BaseException:
            if not self._ending:
                self._hand.give_up(execution)
        if self._rest:
            await asyncio.sleep(self._rest)

    async def _attempt(self, execution: Execution) -> None:
        verdict = self._begin(execution, self._cancel(asyncio.current_task()))
        if verdict is None:
            ending = await execution.run_async()
            execution.stop = None
            if self._ending and isinstance(ending.error, asyncio.CancelledError):
                return  # its lease runs out and another worker takes over
            verdict = self._end(execution, ending)
        if isinstance(verdict, Bury) and execution.definition.on_failed is not None:
            await asyncio.to_thread(self._finished, execution, verdict)
        else:
            self._finished(execution, verdict)

    def _cancel(self, task: "asyncio.Task[None] | None") -> Callable[[Execution], None]:
        def stop(execution: Execution) -> None:
            if self._loop is not None and task is not None and execution.stop is stop:
                self._loop.call_soon_threadsafe(_cancel_once, execution, task, stop)

        return stop

    def _halt(self) -> None:
        assert self._loop is not None
        self._ending = True
        for task in self._tasks:
            task.cancel()
        self._ready.clear()
        self._loop.call_later(0.05, self._loop.stop)


def _cancel_once(
    execution: Execution, task: "asyncio.Task[None]", stop: Callable[[Execution], None]
) -> None:
    # Between the request and here the handler may have ended: then there is nothing to cancel.
    if execution.stop is stop:
        task.cancel()

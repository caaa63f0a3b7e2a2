"""The program of a process in which jobs run alone: one at a time, in its main thread.

Another thread hears what the worker says meanwhile. It is started by `process.py`, never by people.
"""

import asyncio
import contextvars
import faulthandler
import fcntl
import os
import queue
import select
import signal
import sys
import threading
from contextlib import suppress

from packhorse.context import Delete, Fail, Release
from packhorse.context import Wish as Wanted
from packhorse.current import choose, run_alone
from packhorse.flow.surroundings import Surroundings
from packhorse.worker.attempt import Ending
from packhorse.worker.execution import Execution
from packhorse.worker.failure import text_of
from packhorse.worker.isolated.errors import told
from packhorse.worker.isolated.frames import (
    Answer,
    Birth,
    Cancel,
    Ended,
    Farewell,
    Flow,
    Interrupt,
    Ready,
    Said,
    Task,
    Wish,
    cut,
    read_order,
    write,
)
from packhorse.worker.isolated.limits import limited
from packhorse.worker.isolated.opening import leave_guards_out, opened, settle_in
from packhorse.worker.thread_runner import Slot

LOOK = 0.25
"""Seconds between two looks at what the running job says of its progress."""


def main(orders: int, answers: int, lifeline: int) -> None:
    for descriptor in (orders, answers, lifeline):
        os.set_inheritable(descriptor, False)  # a job's own processes must not hold it open
    _die_with(lifeline)
    faulthandler.enable(all_threads=False)  # what a crash prints are last words
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run_alone()
    Child(orders, answers).serve()


def _die_with(lifeline: int) -> None:
    """Lets the system end this process when the other end of the pipe closes."""
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        if not os.read(lifeline, 1):  # it was closed before
            os._exit(1)


class Child:
    """Takes orders on one descriptor and answers on another."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = orders
        self._answers = answers
        self._writing = threading.Lock()
        self._tasks: queue.SimpleQueue[Birth | Task] = queue.SimpleQueue()
        self._slot = Slot()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[Ending] | None = None
        self._execution: Execution | None = None
        self._early: list[Interrupt | Cancel | Farewell] = []
        self._starting = threading.Lock()
        self._said = 0

    def serve(self) -> None:
        """Runs what it is told to, until the worker ends it."""
        threading.Thread(target=self._hear, name="packhorse-orders", daemon=True).start()
        birth = self._tasks.get()
        assert isinstance(birth, Birth)
        broken = settle_in(birth)
        self._answer(Ready())
        while True:
            task = self._tasks.get()
            assert isinstance(task, Task)
            answer = Ended(refused=broken) if broken else self._attempt(birth, task)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):  # a job may have closed it
                    stream.flush()
            self._answer(answer)

    def _attempt(self, birth: Birth, task: Task) -> Ended:
        try:
            execution = opened(birth, task)
            assert execution.body is not None
            refused = execution.ready(execution.body)
            if task.guarded and refused is None:
                leave_guards_out(execution)
        except BaseException as error:
            return Ended(refused=f"{type(error).__name__}: {text_of(error)}")
        if refused is not None:
            return Ended(refused=refused.reason)
        self._said = 0
        self._begin(execution)
        try:
            with limited(task.limits):
                ending = self._run(execution)
        finally:
            self._execution = None
        return _as_told(execution, ending, task.wants_result or task.guarded)

    def _begin(self, execution: Execution) -> None:
        """Tells the handler, from now on, what is said of it; and what was while it was opened."""
        with self._starting:
            self._execution = execution
            for order in self._early:
                self._obey(order, execution)

    def _run(self, execution: Execution) -> Ending:
        context = contextvars.Context()
        context.run(choose, execution.site.app)
        if not execution.definition.is_async:
            return context.run(self._slot.run, execution)
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        running = self._loop.create_task(execution.run_async(), context=context)
        self._running = running
        try:
            return self._loop.run_until_complete(running)
        finally:
            self._running = None

    def _hear(self) -> None:
        """Ends the process when the worker is gone."""
        arrived = bytearray()
        poll = select.poll()
        poll.register(self._orders, select.POLLIN)
        while True:
            if not poll.poll(LOOK * 1000):
                self._report()
                continue
            data = os.read(self._orders, 65_536)
            if not data:
                os._exit(1)
            arrived += data
            while (frame := cut(arrived)) is not None:
                order = read_order(frame)
                with self._starting:
                    if isinstance(order, Birth | Task):
                        self._early.clear()  # it was for a job that runs no more
                        self._tasks.put(order)
                    elif self._execution is None:
                        self._early.append(order)
                    else:
                        self._obey(order, self._execution)

    def _obey(self, order: Interrupt | Cancel | Farewell, execution: Execution) -> None:
        """Tells the handler."""
        if isinstance(order, Farewell):
            assert execution.site.interruption is not None
            execution.site.interruption.tell(order.signal, [execution])
            return
        if isinstance(order, Interrupt):
            execution.timed_out = True
        else:
            execution.cancelled = execution.context.cancelled = True
        running, loop = self._running, self._loop
        if running is not None and loop is not None:
            loop.call_soon_threadsafe(running.cancel)
        elif isinstance(order, Interrupt):
            self._slot.interrupt(execution)

    def _report(self) -> None:
        execution = self._execution
        reported = None if execution is None else execution.context.reported
        if reported is not None and reported[0] != self._said:
            self._said = reported[0]
            self._answer(Said(*reported))

    def _answer(self, answer: Answer) -> None:
        left = memoryview(write(answer))
        with self._writing:
            while left:
                left = left[os.write(self._answers, left) :]


def _as_told(execution: Execution, ending: Ending, wants_result: bool) -> Ended:
    context = execution.context
    result, unkept = None, None
    if wants_result and ending.error is None and not ending.skipped:
        assert execution.body is not None
        serializer = execution.site.connection.serializer(execution.body.ser)
        try:
            result = execution.definition.result.encode(execution.result, serializer)
        except Exception as error:
            unkept = told(error)
    return Ended(
        ran=context.ran,
        skipped=ending.skipped,
        timed_out=ending.timed_out,
        error=None if ending.error is None else told(ending.error),
        wish=_wish(context.wish),
        flow=_flow(context.surroundings),
        said=None if context.reported is None else Said(*context.reported),
        result=result,
        unkept=unkept,
    )


def _wish(wish: Wanted | None) -> Wish | None:
    if isinstance(wish, Release):
        return Wish("release", wish.delay, wish.why)
    if isinstance(wish, Delete):
        return Wish("delete", why=wish.why)
    if isinstance(wish, Fail):
        return Wish("fail", why=wish.reason, error=None if wish.error is None else told(wish.error))
    return None


def _flow(around: Surroundings | None) -> Flow | None:
    if around is None or (around.touched is None and not around.handed_over):
        return None
    return Flow(around.handed_over, None if around.touched is None else around.touched.added)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

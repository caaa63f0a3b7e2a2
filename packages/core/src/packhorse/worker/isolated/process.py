"""A process in which jobs run alone, as its worker sees it: started, spoken to, listened to, killed.

It is a fresh interpreter, not a fork of the worker, whose threads may hold any lock. Three pipes join
the two: orders, answers, and a lifeline on which nothing is ever written. When the worker dies, in
whichever way, the lifeline closes, and the system ends the process, even in the middle of C code.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import packhorse
from packhorse.worker.isolated.frames import Answer, Birth, Order, cut, read_answer, write
from packhorse.worker.reaper import Remains, reap

TAIL = 4096
"""Bytes of its output that are kept as its last words."""
PATIENCE = 10.0
"""Seconds that an idle process has to take an order: it only waits for one."""
REST = 64
"""Reads of what a dead process has left: what it has started may write on."""
_ROOT = str(Path(packhorse.__file__).parents[1])


class Process:
    """One such process. It is used by one thread at a time."""

    def __init__(self, birth: Birth) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        lifeline, self._lifeline = os.pipe()
        given = (orders, answers, lifeline)
        program = [sys.executable, "-P", "-m", "packhorse.worker.isolated.child", *map(str, given)]
        try:
            self._popen = subprocess.Popen(
                program,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=given,
                env={**os.environ, "PYTHONPATH": _ROOT},
                start_new_session=True,  # signals of the terminal are for the worker to deal with
            )
        except BaseException:
            for descriptor in (self._orders, self._answers, self._lifeline):
                os.close(descriptor)
            raise
        finally:
            for descriptor in given:
                os.close(descriptor)
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._copies = {self._popen.stdout.fileno(): 1, self._popen.stderr.fileno(): 2}
        self._poll = select.poll()
        for descriptor in (self._answers, *self._copies):
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.POLLIN)
        os.set_blocking(self._orders, False)
        self._arrived = bytearray()
        self._tail = b""
        self._closed = False
        self.jobs = 0
        self.idle_since = 0.0
        self.died: Remains | None = None
        self.tell(birth)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def tell(self, order: Order) -> bool:
        """Gives an order; False if the process does not take it."""
        left = memoryview(write(order))
        end = time.monotonic() + PATIENCE
        while left:
            try:
                left = left[os.write(self._orders, left) :]
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
                time.sleep(0.005)
            except OSError:
                return False
        return True

    def listen(self, wait: float) -> Answer | None:
        """Passes on its output and gives its next answer, waiting up to so many seconds.

        None: there is none yet, or `died` says that there will be none.
        """
        if (frame := cut(self._arrived)) is None and self.died is None:
            gone = False
            for descriptor, _ in self._poll.poll(wait * 1000):
                if descriptor == self._answers:
                    gone = not self._read_answers()
                else:
                    self._copy(descriptor)
            frame = cut(self._arrived)
            if frame is None and (gone or self._is_over()):
                self._end()
                frame = cut(self._arrived)
        return None if frame is None else read_answer(frame)

    def begin(self) -> None:
        """A job begins: what was said before it are not its last words."""
        self.jobs += 1
        self._tail = b""

    def last_words(self) -> str:
        """What it printed last."""
        return self._tail.decode("utf-8", "replace").strip()

    def kill(self) -> None:
        """Ends it at once, and what it has started."""
        if self.died is None:
            with suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def is_alive(self) -> bool:
        """Whether it could take a job."""
        if self._is_over():
            self._end()
        return self.died is None

    def dismiss(self) -> None:
        """Lets an idle process go; it ends at once."""
        self.kill()
        self._end()

    def _read_answers(self) -> bool:
        """False: nobody writes any more."""
        try:
            data = os.read(self._answers, 65_536)
        except BlockingIOError:
            return True
        self._arrived += data
        return bool(data)

    def _copy(self, descriptor: int) -> bool:
        """Passes output on to where the process would have written it itself; False: there was none."""
        try:
            data = os.read(descriptor, 65_536)
        except OSError:
            return False
        if not data:
            with suppress(KeyError):
                self._poll.unregister(descriptor)
            return False
        self._tail = (self._tail + data)[-TAIL:]
        with suppress(OSError):
            os.write(self._copies[descriptor], data)
        return True

    def _is_over(self) -> bool:
        if self.died is None:
            self.died = reap(self._popen, wait=False)
        return self.died is not None

    def _end(self) -> None:
        """Waits for what has closed its pipe or died, and gives back what it took."""
        if self._closed:
            return
        self._closed = True
        end = time.monotonic() + 1.0
        while not self._is_over():
            if time.monotonic() >= end:  # it lives on without a way to answer
                self.kill()
            time.sleep(0.001)
        for _ in range(REST):
            self._read_answers()
            if not sum(self._copy(descriptor) for descriptor in self._copies):
                break
        for descriptor in (self._orders, self._answers, self._lifeline):
            os.close(descriptor)
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()

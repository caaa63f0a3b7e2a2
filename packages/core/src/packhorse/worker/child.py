"""`Child`: one worker process, as its supervisor sees it."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from packhorse.worker.board import Board
from packhorse.worker.health import ProcessHealth
from packhorse.worker.reaper import Remains, reap
from packhorse.worker.supervised import Farewell, Link, Ready, Said, TakenOver, Told
from packhorse.worker.supervision import MARGIN, Ended

ALIVE = 3.0
"""Seconds after its last beat for which a process is trusted with something."""


class Child:
    """A process that was started, until it was waited for; nothing here ever blocks.

    It comes after `crashes` others that died one after another. `end_by` is the moment at which it
    has to be gone, `killed` why it was killed. Raises `OSError` if it cannot be started.
    """

    def __init__(self, command: Sequence[str], name: str, lines: int, crashes: int) -> None:
        self.name = name
        self.crashes = crashes
        self.ready = False
        self.taken_over: list[str] = []
        self.end_by = float("inf")
        self.killed = ""
        self._reason: str | None = None
        self._dead: Remains | None = None
        self._started = time.monotonic()
        self._unheard = self._untold = b""
        self.board, board = Board.make(lines)
        told, self._tell = os.pipe()
        self.ear, says = os.pipe()
        os.set_blocking(self._tell, False)
        os.set_blocking(self.ear, False)
        # Until the process can handle it, a signal to pause waits; it would be its end.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        try:
            self._popen = subprocess.Popen(
                [*command, "--supervised", Link(name, told, says, board).as_text()],
                pass_fds=(told, says, board),
                # Ctrl-C reaches all processes of a terminal; the supervisor alone decides.
                preexec_fn=_ignore_interrupts,
            )
        except OSError:
            self.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for descriptor in (told, says, board):
                os.close(descriptor)

    def responds(self, now: float) -> bool:
        """Whether it hears what it is told."""
        return self.ready and self._reason is None and now - self.board.last_beat() < ALIVE

    def health(self, now: float) -> ProcessHealth:
        """How it is, as its board says; from any thread, also when it is being buried."""
        with suppress(ValueError):  # its board is closed
            running = len(self.board.running())
            return ProcessHealth(self.name, now < self.board.well_until(), running)
        return ProcessHealth(self.name, False, 0)

    def tell(self, message: Told) -> None:
        """Tells it something; what it is too busy to hear now it is told by `flush`."""
        self._untold += msgspec.json.encode(message) + b"\n"
        self.flush()

    def flush(self) -> None:
        try:
            self._untold = self._untold[os.write(self._tell, self._untold) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._untold = b""

    def hear(self) -> bool:
        """Takes in what it has said since; False if it will say no more."""
        more = True
        with suppress(BlockingIOError):
            while data := os.read(self.ear, 4096):
                self._unheard += data
            more = False
        *lines, self._unheard = self._unheard.split(b"\n")
        for line in lines:
            self._take_in(msgspec.json.decode(line, type=Said))
        return more

    def _take_in(self, said: Said) -> None:
        match said:
            case Ready():
                self.ready = True
            case TakenOver(name=name):
                self.taken_over.append(name)
            case Farewell(reason=reason):
                self._reason = reason
                self.end_by = min(self.end_by, time.monotonic() + MARGIN)

    def send(self, number: signal.Signals) -> None:
        if self._remains() is None:
            os.kill(self._popen.pid, number)

    def ended(self) -> Ended | None:
        """How it ended, None if it lives."""
        remains = self._remains()
        if remains is None:
            return None
        self.hear()
        age = time.monotonic() - self._started
        return Ended(remains.code, self._reason, age, remains.memory)

    def _remains(self) -> Remains | None:
        self._dead = self._dead or reap(self._popen, wait=False)
        return self._dead

    def close(self) -> None:
        self.board.close()
        os.close(self._tell)
        os.close(self.ear)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

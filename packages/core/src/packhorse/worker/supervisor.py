"""Supervises worker processes: starts them, replaces those that die, kills what cannot be stopped.

It runs no job, opens no connection and imports nothing of the application. What a dead process held
is given back by a living one, which the supervisor tells through a pipe: who died, of what, and
which jobs it was running. The other pipe tells the supervisor that a process has ended: it closes.
If the supervisor dies, the processes see their pipe close and stop as if they were told to.
"""

import logging
import os
import secrets
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import msgspec

from packhorse.worker.board import Board
from packhorse.worker.supervised import Died, Farewell, Link
from packhorse.worker.supervision import (
    SETTLED_DOWN,
    Ended,
    after_end,
    exit_code,
    pause,
    why_kill,
)

TICK = 0.5
"""Seconds between two looks at the boards; ends and signals are noticed at once."""

_log = logging.getLogger("packhorse.supervisor")


class _Process:
    """One worker process, as its supervisor sees it."""

    def __init__(self, command: Sequence[str], base: str, lines: int) -> None:
        self.name = f"{base}-{secrets.token_hex(4)}"
        self.started = time.monotonic()
        self.board, file = Board.make(lines)
        told, tell = os.pipe()
        heard, says = os.pipe()
        link = Link(self.name, told, says, file.fileno())
        try:
            self.popen = subprocess.Popen(
                [*command, "--supervised", link.as_text()],
                pass_fds=(told, says, file.fileno()),
            )
        finally:
            os.close(told)
            os.close(says)
            file.close()
        self.tell = tell
        self.ear: IO[bytes] = os.fdopen(heard, "rb", buffering=0)
        self.said = b""
        self.killed = ""

    def inform(self, died: Died) -> bool:
        """Tells it of another's death; False if it is ending too."""
        try:
            os.write(self.tell, msgspec.json.encode(died) + b"\n")
        except OSError:
            return False
        return True

    def ended(self) -> Ended:
        """Waits for it, which has closed its pipe, and says how it ended."""
        code = self.popen.wait()
        farewell = None
        if self.said.endswith(b"\n"):
            farewell = msgspec.json.decode(self.said.splitlines()[-1], type=Farewell)
        os.close(self.tell)
        self.ear.close()
        reason = None if farewell is None else farewell.reason
        return Ended(code, reason, time.monotonic() - self.started)


class Supervisor:
    """Keeps `processes` of one command alive until it is told to stop, or all have ended by themselves.

    `lines` is how many jobs one may run at once, `grace` how many seconds they have for the end. To
    be used in the main thread.
    """

    def __init__(
        self, command: Sequence[str], *, name: str, processes: int, lines: int, grace: float
    ) -> None:
        self._command = list(command)
        self._name = name
        self._lines = lines
        self._grace = grace
        self._alive: dict[int, _Process] = {}
        self._dead: list[Died] = []
        self._starts = [0.0] * processes
        self._crashes = 0
        self._codes: list[int] = []
        self._told = self._obeyed = 0
        self._stop_by = float("inf")
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Supervises; gives the exit code."""
        with self._woken_by_signals() as wake:
            try:
                while self._starts or self._alive:
                    self._obey()
                    self._start_due(time.monotonic())
                    self._listen(wake)
                    self._look(time.monotonic())
                return exit_code(self._codes)
            finally:
                for one in self._alive.values():
                    one.popen.kill()
                self._selector.close()

    @contextmanager
    def _woken_by_signals(self) -> Iterator[int]:
        """Counts the signals that tell it to stop; each makes a descriptor readable."""
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        self._selector.register(wake, selectors.EVENT_READ)
        before = {number: signal.signal(number, self._count) for number in _SIGNALS}
        waking = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        try:
            yield wake
        finally:
            signal.set_wakeup_fd(waking)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wake)
            os.close(woken)

    def _count(self, number: int, frame: object) -> None:
        self._told += 1

    def _obey(self) -> None:
        """Told once, it lets the processes stop; told again, it lets them hurry."""
        while self._obeyed < self._told:
            self._obeyed += 1
            self._starts = []
            patience = self._grace if self._obeyed == 1 else 0.0
            self._stop_by = time.monotonic() + patience + _MARGIN
            for one in self._alive.values():
                one.popen.send_signal(signal.SIGTERM)

    def _start_due(self, now: float) -> None:
        due = [moment for moment in self._starts if moment <= now]
        self._starts = [moment for moment in self._starts if moment > now]
        for _ in due:
            one = _Process(self._command, self._name, self._lines)
            self._alive[one.ear.fileno()] = one
            self._selector.register(one.ear, selectors.EVENT_READ)
        if due:
            self._pass_on()

    def _pass_on(self) -> None:
        """Tells a living process of those that died."""
        for one in self._alive.values():
            self._dead = [died for died in self._dead if not one.inform(died)]

    def _listen(self, wake: int) -> None:
        ahead = min(self._starts, default=float("inf")) - time.monotonic()
        for key, _ in self._selector.select(max(0.0, min(TICK, ahead))):
            if key.fd == wake:
                os.read(wake, 4096)
                continue
            one = self._alive[key.fd]
            data = one.ear.read(4096)
            if data:
                one.said += data
            else:
                self._bury(one)

    def _look(self, now: float) -> None:
        """Kills what must not go on; finds the dead whose pipe a process of a job's still holds open."""
        for one in list(self._alive.values()):
            if one.popen.poll() is not None:
                self._bury(one)
                continue
            if one.killed:
                continue
            if now >= self._stop_by:
                one.killed = "it did not stop in time"
            else:
                one.killed = why_kill(one.board.running(), one.board.last_beat(), now) or ""
            if one.killed:
                _log.warning("worker %s is killed: %s", one.name, one.killed)
                one.popen.kill()

    def _bury(self, one: _Process) -> None:
        self._selector.unregister(one.ear)
        del self._alive[one.ear.fileno()]
        running = [job.id for job in one.board.running()]
        one.board.close()
        ended = one.ended()
        follows = after_end(ended)
        if follows == "replace later" and not self._stopped(ended):
            self._crashed(one, ended, Died(one.name, ended.code, one.killed, running))
        if self._told or follows == "leave":
            self._codes.append(0 if self._stopped(ended) else ended.code)
        elif follows == "give up":
            self._codes.append(ended.code)
            self._told += 1
        else:
            crashed = follows == "replace later"
            self._crashes = self._crashes + 1 if crashed and ended.age < SETTLED_DOWN else crashed
            later = pause(self._crashes) if crashed else 0.0
            self._starts.append(time.monotonic() + later)

    def _stopped(self, ended: Ended) -> bool:
        """Whether a process ended because it was told to before it could handle the signal."""
        return self._told > 0 and ended.code == -signal.SIGTERM

    def _crashed(self, one: _Process, ended: Ended, died: Died) -> None:
        how = f"exit code {ended.code}"
        if ended.code < 0:
            how = f"signal {signal.Signals(-ended.code).name}"
        _log.error(
            "worker %s ended unexpectedly (%s) while it ran %d jobs%s",
            one.name,
            how,
            len(died.running),
            "" if self._told else "; it is replaced",
        )
        self._dead.append(died)
        self._pass_on()


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_MARGIN = 5.0
"""Seconds that a process has beyond its grace, before it is killed."""

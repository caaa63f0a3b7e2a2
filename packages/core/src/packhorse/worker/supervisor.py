"""Supervises worker processes: starts them, replaces those that die, kills what cannot be stopped.

It runs no job, opens no connection and imports nothing of the application. What a dead process held
is given back by a living one, which the supervisor tells through a pipe: who died, of what, and
which jobs it had started. If the supervisor dies, the processes see their pipe close and stop as if
they were told to.
"""

import logging
import os
import secrets
import selectors
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from packhorse.worker.child import Child
from packhorse.worker.health import ProcessHealth
from packhorse.worker.reaper import Remains, told
from packhorse.worker.supervised import Died, Hurry
from packhorse.worker.supervision import (
    BEAT_PATIENCE,
    MARGIN,
    Ended,
    after_end,
    exit_code,
    in_a_row,
    pause,
    to_blame,
    why_kill,
)
from packhorse.worker.title import entitle

TICK = 0.5
"""Seconds between two looks at the boards; ends and signals are noticed at once."""

SUSPENDED = 5.0
"""Seconds between two looks from which the supervisor knows that it was stopped itself."""

_log = logging.getLogger("packhorse.supervisor")


class Supervisor:
    """Keeps `processes` of one command alive until it is told to stop, or all have ended by themselves.

    `lines` is how many jobs one may have started at once, `grace` how many seconds they have for the
    end. To be used in the main thread.
    """

    def __init__(
        self, command: Sequence[str], *, name: str, processes: int, lines: int, grace: float
    ) -> None:
        self._command = list(command)
        self._name = name
        self._lines = lines
        self._grace = grace
        self._alive: list[Child] = []
        self._starts = [(0.0, 0)] * processes
        """When processes are to start, and how many crashes in a row came before each."""
        self._dead: dict[str, tuple[Died, Child | None]] = {}
        """What nobody has taken over yet, and who was told to."""
        self._proven = False
        self._codes: list[int] = []
        self._told = self._obeyed = 0
        self._passing: list[signal.Signals] = []
        self._paused = False
        self._stop_by = float("inf")
        self._looked = time.monotonic()
        self._patient_until = 0.0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Supervises; gives the exit code."""
        entitle("super")
        with self._woken_by_signals() as wake:
            try:
                while self._starts or self._alive:
                    self._obey()
                    self._start_due(time.monotonic())
                    self._listen(wake)
                    self._bury_dead()
                    self._look(time.monotonic())
                return exit_code(self._codes)
            finally:
                for one in self._alive:
                    one.send(signal.SIGKILL)
                self._selector.close()

    def health(self) -> list[ProcessHealth]:
        """How its processes are; from any thread."""
        now = time.monotonic()
        return [one.health(now) for one in list(self._alive)]

    @contextmanager
    def _woken_by_signals(self) -> Iterator[int]:
        """Counts the signals that tell it to stop; each, and each end, makes a descriptor readable."""
        wake, woken = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        self._selector.register(wake, selectors.EVENT_READ)
        handlers = {
            signal.SIGTERM: self._count,
            signal.SIGINT: self._count,
            signal.SIGUSR2: self._keep,
            signal.SIGCONT: self._keep,
            signal.SIGCHLD: _only_wake,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
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

    def _keep(self, number: int, frame: object) -> None:
        self._passing.append(signal.Signals(number))

    def _obey(self) -> None:
        """Told once, it lets the processes stop; told again, it lets them hurry. The rest it passes on."""
        while self._passing:
            number = self._passing.pop(0)
            self._paused = number == signal.SIGUSR2
            for one in self._alive:
                one.send(number)
        while self._obeyed < self._told:
            self._obeyed += 1
            self._starts = []
            for one in self._alive:
                if self._obeyed == 1:
                    one.send(signal.SIGTERM)
                else:
                    one.tell(Hurry())
            patience = self._grace if self._obeyed == 1 else 0.0
            self._stop_by = time.monotonic() + patience + MARGIN

    def _may_start(self) -> bool:
        """Whether one more may start: until one has proved that the settings are right, only one."""
        return self._proven or not self._alive

    def _start_due(self, now: float) -> None:
        for start in sorted(self._starts):
            moment, crashes = start
            if moment > now or not self._may_start():
                return
            self._starts.remove(start)
            name = f"{self._name}-{secrets.token_hex(4)}"
            try:
                one = Child(self._command, name, self._lines, crashes)
            except OSError as error:  # no memory, or too many processes: that may pass
                later = pause(crashes + 2)
                _log.error("a worker could not be started, trying again in %g s: %s", later, error)
                self._starts.append((now + later, crashes + 1))
                continue
            self._alive.append(one)
            if self._paused:
                one.send(signal.SIGUSR2)
            self._selector.register(one.ear, selectors.EVENT_READ, one)

    def _listen(self, wake: int) -> None:
        due = min(self._starts)[0] if self._starts and self._may_start() else float("inf")
        for key, _ in self._selector.select(max(0.0, min(TICK, due - time.monotonic()))):
            if key.fd == wake:
                os.read(wake, 4096)
            elif not key.data.hear():
                self._selector.unregister(key.fd)
        for one in self._alive:
            self._proven = self._proven or one.ready
            while one.taken_over:
                self._dead.pop(one.taken_over.pop(), None)

    def _bury_dead(self) -> None:
        for one in list(self._alive):
            ended = one.ended()
            if ended is not None:
                self._bury(one, ended)
        now = time.monotonic()
        for name, (died, heir) in self._dead.items():
            if heir not in self._alive or not heir.responds(now):
                heir = next((one for one in self._alive if one.responds(now)), None)
                if heir is not None:
                    heir.tell(died)
                self._dead[name] = (died, heir)

    def _bury(self, one: Child, ended: Ended) -> None:
        self._alive.remove(one)
        if one.ear in self._selector.get_map():
            self._selector.unregister(one.ear)
        started = to_blame(one.board.running())
        one.close()
        follows = after_end(ended)
        stopped = self._told and ended.code == -signal.SIGTERM  # before it could handle the signal
        if follows == "replace later" and not stopped:
            died = Died(one.name, ended.code, one.killed, started, ended.memory)
            self._dead[one.name] = (died, None)
            self._log_crash(died)
        if self._told or follows == "leave":
            self._codes.append(0 if stopped else ended.code)
        elif follows == "give up":
            self._codes.append(ended.code)
            self._told += 1
        else:
            crashes = in_a_row(one.crashes, ended.age) if follows == "replace later" else 0
            self._starts.append((time.monotonic() + pause(crashes), crashes))

    def _look(self, now: float) -> None:
        """Kills what must not go on; if it was stopped itself, the processes have a while to recover."""
        if now - self._looked >= SUSPENDED:
            self._patient_until = now + BEAT_PATIENCE
        self._looked = now
        for one in self._alive:
            one.flush()
            if one.killed or now < self._patient_until:
                continue
            if now >= min(self._stop_by, one.end_by):
                one.killed = "it did not end in time"
            else:
                one.killed = why_kill(one.board.running(), one.board.last_beat(), now) or ""
            if one.killed:
                _log.warning("worker %s is killed: %s", one.name, one.killed)
                one.send(signal.SIGKILL)

    def _log_crash(self, died: Died) -> None:
        _log.error(
            "worker %s was %s, with %d started jobs%s",
            died.name,
            told(Remains(died.code, died.memory)),
            len(died.running),
            "" if self._told else "; it is replaced",
        )


def _only_wake(number: int, frame: object) -> None:
    pass

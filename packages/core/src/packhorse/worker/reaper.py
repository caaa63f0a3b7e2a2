"""Waits for a child process that has ended, and learns how, and how much memory it had."""

import os
import signal
import subprocess
import sys

from msgspec import Struct

_UNIT = 1 if sys.platform == "darwin" else 1024


class Remains(Struct, frozen=True):
    """How a process ended: its exit code (negative: the signal), the most memory that it had, in bytes."""

    code: int
    memory: int = 0


def reap(process: "subprocess.Popen[bytes]", *, wait: bool) -> Remains | None:
    """What is left of a process; None if it lives on and `wait` is not asked for."""
    if process.returncode is not None:
        return Remains(process.returncode)
    try:
        pid, status, usage = os.wait4(process.pid, 0 if wait else os.WNOHANG)
    except ChildProcessError:  # somebody else in this program has waited for it
        return Remains(process.wait())
    if not pid:
        return None
    process.returncode = code = os.waitstatus_to_exitcode(status)
    return Remains(code, usage.ru_maxrss * _UNIT)


def told(remains: Remains) -> str:
    """How a process ended, for people."""
    memory = f"; it had up to {remains.memory / 1024 / 1024:.0f} MB of memory"
    return f"ended by {_how(remains.code)}{memory if remains.memory else ''}"


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"{signal.Signals(-code).name} ({signal.strsignal(-code)})"
    except ValueError:
        return f"signal {-code}"

"""What a supervisor decides, as plain functions from values to values."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct

from packhorse.worker.board import Running

SETTLED_DOWN = 10.0
"""Seconds after which a process that dies did not die of its start."""

BEAT_PATIENCE = 30.0
"""Seconds without a beat after which a process that runs jobs is taken for stuck: code that holds the
interpreter's lock stops all threads."""

MARGIN = 5.0
"""Seconds that a process has beyond what it was given, before it is killed."""

REPLACED = frozenset({"recycled", "restarted", "stuck", "deaf", "interrupted"})
"""Reasons for which a process that ends by itself is replaced at once."""

USAGE = 2
"""The exit code of a process whose settings are wrong: starting it again would not help."""


class Ended(Struct, frozen=True):
    """How a process ended: its exit code (negative: the signal), what it said of it, how long it lived,
    and the most memory that it had, in bytes."""

    code: int
    reason: str | None
    age: float
    memory: int = 0


Next = Literal["replace", "replace later", "leave", "give up"]


def after_end(ended: Ended) -> Next:
    """What follows from the end of a process that its supervisor has not told to stop."""
    if ended.reason in REPLACED:
        return "replace"
    if ended.reason is not None:
        return "leave"  # it has reached a limit of its own
    if ended.code == USAGE:
        return "give up"
    return "replace later"


def in_a_row(crashes: int, age: float) -> int:
    """How many crashes followed upon one another, with that of a process which lived so long."""
    return crashes + 1 if age < SETTLED_DOWN else 1


def pause(crashes: int) -> float:
    """Seconds before a process is replaced that has crashed so many times in a row."""
    return 0.0 if crashes <= 1 else float(min(30.0, 0.5 * 2.0 ** (crashes - 2)))


def why_kill(running: Sequence[Running], last_beat: float, now: float) -> str | None:
    """Why a process is to be killed now, None if it is not."""
    for job in running:
        if 0 < job.kill_at <= now - MARGIN:
            return f"job {job.id} ran on after its time-out and its grace"
    if running and last_beat and now - last_beat >= BEAT_PATIENCE:
        return f"it has given no sign of life for {BEAT_PATIENCE:g} s"
    return None


def to_blame(running: Sequence[Running]) -> list[UUID]:
    """Which jobs may have taken their worker process down: what ran there, and what ran in a process of
    its own only if nothing else did."""
    suspects = [one for one in running if not one.alone] or running
    return [one.id for one in suspects]


def exit_code(codes: Sequence[int]) -> int:
    """The supervisor's exit code: the worst of its processes'; a killed one counts as 1."""
    return max((1 if code < 0 else code for code in codes), default=0)

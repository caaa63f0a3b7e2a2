"""Watches that the broker answers: has the connection opened anew, and in the end gives the worker up."""

from typing import Literal

TURNS = 5
"""The silence, in patiences, after which opening the connection anew will not help any more."""

LONGEST_LOOK = 1.0
"""Seconds that count at most between two looks: a process that was stopped has not been listening."""


def patience(lease: float, sleep: float) -> float:
    """For how many seconds a broker may give no answer: some is due each `sleep`, or a third of a lease."""
    return 30.0 + max(sleep, lease / 3)


class Watchdog:
    """Adds up the silence between the looks of the worker's main thread; seconds, monotonic clock."""

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._looked = now
        self._answered = now
        self._silence = 0.0
        self._turns = 0

    def look(self, now: float, answered: float) -> Literal["open anew", "deaf"] | None:
        """What is to be done at `now`, when the last answer came at `answered`."""
        passed = min(now - self._looked, LONGEST_LOOK)
        self._looked = now
        if answered != self._answered:
            self._answered, self._silence, self._turns = answered, 0.0, 0
            return None
        self._silence += passed
        turns = int(self._silence / self._patience)
        if turns >= TURNS:
            return "deaf"
        if turns > self._turns:
            self._turns = turns
            return "open anew"
        return None

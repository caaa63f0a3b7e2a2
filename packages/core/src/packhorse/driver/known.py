"""Ids in memory that stay known after their messages are gone."""

SWEEP = 1_000
"""From this size on, ids whose time is over are swept out whenever they may be half of all."""


class KnownIds:
    """Ids, each with the moment at which it is known no more; not thread-safe."""

    def __init__(self) -> None:
        self._ends: dict[int, float] = {}
        self._sweep = SWEEP

    def knows(self, id: int, now: float) -> bool:
        """Is the id known still?"""
        return self._ends.get(id, now) > now

    def keep(self, id: int, end: float, now: float) -> None:
        """Lets an id be known until `end`."""
        self._ends[id] = end
        if len(self._ends) > self._sweep:
            self._ends = {id: end for id, end in self._ends.items() if end > now}
            self._sweep = SWEEP + 2 * len(self._ends)

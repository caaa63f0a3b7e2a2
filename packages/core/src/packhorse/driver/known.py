"""Ids in memory that stay known after their messages are gone."""

SWEEP = 1_000
"""From this size on, ids whose time is over are swept out whenever they may be half of all."""


class KnownIds:
    """Ids, each with the moment at which it is known no more; not thread-safe.

    Every message that is sent looks into `ends`, so that is open to be read without a call.
    """

    def __init__(self) -> None:
        self.ends: dict[int, float] = {}
        self._sweep = SWEEP

    def keep(self, id: int, end: float, now: float) -> None:
        """Lets an id be known until `end`."""
        self.ends[id] = end
        if len(self.ends) > self._sweep:
            self.ends = {id: end for id, end in self.ends.items() if end > now}
            self._sweep = SWEEP + 2 * len(self.ends)

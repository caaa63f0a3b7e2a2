"""The groups of one queue in memory: the head of each stands in the line, the others are parked.

The head is who came first and is not gone, whether it waits, is delayed or leased. What is parked
leaves in the order of sending, from a heap; one that leaves sooner is marked `gone` there, as in the
line, and skipped.
"""

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packhorse.driver.line import Entry


class Groups:
    """Heads and parked messages; not thread-safe."""

    def __init__(self) -> None:
        self.parked = 0
        self._heads: dict[str, int] = {}
        self._parked: dict[str, list[tuple[int, int, Entry]]] = {}
        self._gone = 0

    def join(self, group: str, entry: "Entry") -> bool:
        """Whether a message that comes, or comes again, is its group's head; if not, it is parked."""
        if self._heads.setdefault(group, entry.key) == entry.key:
            return True
        entry.parked = True
        heappush(self._parked.setdefault(group, []), (entry.sent, id(entry), entry))
        self.parked += 1
        return False

    def succeed(self, group: str) -> "Entry | None":
        """Ends a head; its successor, taken out for the line, or None if the group is empty."""
        parked = self._parked.get(group, [])
        while parked:
            entry = heappop(parked)[2]
            if not entry.gone:
                self.parked -= 1
                entry.parked = False
                self._heads[group] = entry.key
                return entry
            self._gone -= 1
        self._parked.pop(group, None)
        del self._heads[group]
        return None

    def remove(self, entry: "Entry") -> None:
        """Takes a parked message out; the object must not be put back."""
        entry.gone = True
        self.parked -= 1
        self._gone += 1
        if self._gone > 100 and self._gone > self.parked:
            self._sweep()

    def _sweep(self) -> None:
        for group, parked in list(self._parked.items()):
            left = [item for item in parked if not item[2].gone]
            heapify(left)
            self._parked[group] = left
        self._gone = 0

"""What jobs leave behind in this process, so that a test can see that they ran."""

import threading


class Journal:
    """Notes, in the order in which they were made; any thread may make one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)

    @property
    def notes(self) -> list[str]:
        with self._lock:
            return list(self._notes)

    def count(self, text: str) -> int:
        """How often this very note was made."""
        return self.notes.count(text)

    def clear(self) -> None:
        with self._lock:
            self._notes.clear()


journal = Journal()
"""The one that jobs write to; each test begins with an empty one."""

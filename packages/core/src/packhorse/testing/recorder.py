"""A listener that remembers events."""

import threading
from typing import TypeVar

from packhorse.events.types import Event

E = TypeVar("E", bound=Event)


class Recorder:
    """`app.on(Event)(recorder)`: keeps what it hears, in order; may be shared between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Event] = []

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    @property
    def events(self) -> list[Event]:
        """All events until now, oldest first."""
        with self._lock:
            return list(self._events)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one class and of its subclasses, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._events.clear()

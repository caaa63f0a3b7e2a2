"""Who listens to what; a list is compiled when its event comes for the first time, not each time."""

from collections.abc import Callable
from typing import TypeVar

from packhorse.events.types import Event

E = TypeVar("E", bound=Event)
Listener = Callable[[E], object]


class Bus:
    """One app's listeners. `on` and `emit` may be called from any thread."""

    def __init__(self) -> None:
        self._added: list[tuple[type[Event], Listener[Event]]] = []
        self._of: dict[type[Event], tuple[Listener[Event], ...]] = {}

    def on(self, event: type[E], listener: Listener[E]) -> None:
        """Adds a listener for an event class and those that derive from it."""
        self._added.append((event, listener))  # type: ignore[arg-type]
        self._of = {}  # a new one: who compiles a list just now does so for the old one

    def hears(self, event: type[Event]) -> bool:
        """Whether anybody listens: ask before you build an event."""
        found = self._of.get(event)
        return bool(self._compile(event) if found is None else found)

    def emit(self, event: Event) -> None:
        """Tells every listener, in the order of their adding; what one raises is logged."""
        found = self._of.get(type(event))
        for listener in self._compile(type(event)) if found is None else found:
            try:
                listener(event)
            except Exception:
                import logging  # only here: a process that only dispatches does without

                log = logging.getLogger("packhorse.events")
                log.exception("a listener to %s failed: %r", type(event).__name__, listener)

    def _compile(self, event: type[Event]) -> tuple[Listener[Event], ...]:
        of = self._of
        found = tuple(heard for wanted, heard in self._added if issubclass(event, wanted))
        of[event] = found
        return found

"""Who listens to what; the lists are compiled when somebody starts to listen, not when events come."""

from collections.abc import Callable, Iterator
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
        self._of = {
            kind: tuple(heard for wanted, heard in self._added if issubclass(kind, wanted))
            for kind in _kinds(Event)
        }

    def hears(self, event: type[Event]) -> bool:
        """Whether anybody listens: ask before you build an event."""
        return bool(self._of.get(event))

    def emit(self, event: Event) -> None:
        """Tells every listener, in the order of their adding; what one raises is logged."""
        for listener in self._of.get(type(event), ()):
            try:
                listener(event)
            except Exception:
                import logging  # only here: a process that only dispatches does without

                log = logging.getLogger("packhorse.events")
                log.exception("a listener to %s failed: %r", type(event).__name__, listener)


def _kinds(base: type[Event]) -> Iterator[type[Event]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)

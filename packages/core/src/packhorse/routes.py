"""Where jobs go that name no queue or connection themselves: by job, by base class, by module."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from packhorse.definition import Definition
from packhorse.errors import ConfigError

Name = Annotated[str, Meta(min_length=1)]


class Route(Struct, frozen=True):
    """A queue, a connection, or both; None: not said here."""

    queue: Name | None = None
    connection: Name | None = None


NOWHERE = Route()


class Routes:
    """One app's routes; the most specific one that says something wins, for each of the two alone.

    `queues` gives the connection of a queue, for jobs of which nothing else says one.

    From the most specific on: the job itself, by `add` and then by its name in the settings; base
    classes, the nearest first; in the settings `"shop.mail.*"`, the longest first. Registered at
    start-up; afterwards it may be asked from any thread.
    """

    def __init__(self, settings: Mapping[str, Route], queues: Mapping[str, str]) -> None:
        self._queues = queues
        self._named = {name: route for name, route in settings.items() if not _is_part(name)}
        self._parts = sorted(
            ((name[:-1], route) for name, route in settings.items() if _is_part(name)),
            key=lambda part: len(part[0]),
            reverse=True,
        )
        self._added: dict[object, Route] = {}
        self._found: dict[Definition, Route] = {}

    def add(self, job: object, route: Route) -> None:
        """For a job class, a function job, or any class that job classes derive from.

        What an earlier call said of the same one still holds where this one says nothing.
        """
        key = job if isinstance(job, type) else getattr(job, "definition", None)
        if key is None or not callable(job):
            raise ConfigError(
                f"route() takes a job, a job class or a base class of some, not {job!r}"
            )
        if route == NOWHERE:
            raise ConfigError(f"route({job!r}) says neither a queue nor a connection")
        self._added[key] = _first([route, self._added.get(key, NOWHERE)])
        self._found = {}

    def of(self, definition: Definition) -> Route:
        """The route of a job; worked out once."""
        found = self._found.get(definition)
        if found is None:
            found = self._found[definition] = _first(self._for(definition))
        return found

    def connection(self, definition: Definition, queue: str | UnsetType) -> str | None:
        """The connection of a job that names none: its route's, or the one that its queue is on."""
        route = self.of(definition)
        if route.connection is None and self._queues:
            named = route.queue if queue is UNSET else queue
            return None if named is None else self.of_queue(named)
        return route.connection

    def of_queue(self, queue: str) -> str | None:
        """The connection that a queue is on, if it is not the default one."""
        return self._queues.get(queue)

    def named(self, job: str) -> Route:
        """The settings' route of a job that this process does not know."""
        own = self._named.get(job, NOWHERE)
        return _first([own, *self._by_start(job)])

    def _for(self, definition: Definition) -> Iterator[Route]:
        """All routes that hold for a job, the most specific first."""
        own: tuple[Any, ...] = definition.classes[:1] or (definition,)
        names = (definition.name, *definition.aliases)
        yield from (self._added[key] for key in own if key in self._added)
        yield from (self._named[name] for name in names if name in self._named)
        yield from (self._added[key] for key in definition.classes[1:] if key in self._added)
        yield from self._by_start(definition.name)

    def _by_start(self, name: str) -> Iterator[Route]:
        return (route for start, route in self._parts if name.startswith(start))

    def __bool__(self) -> bool:
        return bool(self._added or self._named or self._parts or self._queues)


def _is_part(name: str) -> bool:
    return name.endswith(".*")


def _first(routes: "Iterator[Route] | list[Route]") -> Route:
    """For queue and connection each what is said first."""
    queue = connection = None
    for route in routes:
        queue = route.queue if queue is None else queue
        connection = route.connection if connection is None else connection
    return Route(queue, connection)

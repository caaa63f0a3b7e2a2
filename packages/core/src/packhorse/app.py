"""`Packhorse`: one app, with its settings, connections, queues, failed jobs and listeners."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack
from uuid import UUID

from msgspec import UNSET

from packhorse import current, events
from packhorse.carrying import Carrier
from packhorse.connection import Connection
from packhorse.dispatch import message_for, raw_message, said
from packhorse.driver.message import Message, Unique
from packhorse.errors import ConfigError
from packhorse.events.bus import Bus, Listener
from packhorse.formats import Formats
from packhorse.handle import JobHandle
from packhorse.job import pending
from packhorse.lazy import lazy
from packhorse.pending import Dispatchable, Pending
from packhorse.queue import Queue
from packhorse.routes import Route, Routes
from packhorse.sending import push, push_many, send
from packhorse.settings import Keywords, Settings, load, nearest
from packhorse.wire.types import register_type

if TYPE_CHECKING:
    from packhorse.failed import FailedJobs
    from packhorse.flow.batches import Batches
    from packhorse.flow.chains import Chains
    from packhorse.function_job import FunctionJob
    from packhorse.plugin.wiring import Wiring
    from packhorse.worker.worker import Worker

E = TypeVar("E", bound=events.Event)
R = TypeVar("R")


class Packhorse:
    """An app: made from a URL, a configuration, or what the environment says.

    `Packhorse("sqlite:///jobs.db")`, `Packhorse(config="packhorse.toml")` or a mapping, or
    `Packhorse()`, which looks for PACKHORSE_CONFIG, packhorse.toml, pyproject.toml and PACKHORSE_URL.
    The first app made in a process is the default. May be used from any thread. Raises `ConfigError`
    for wrong settings; brokers are reached at first use.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        config: "str | os.PathLike[str] | Mapping[str, object] | Settings | None" = None,
        **settings: Unpack[Keywords],
    ) -> None:
        self.settings = config if isinstance(config, Settings) else load(url, config, **settings)
        self.bus = Bus()
        self.carriers: list[Carrier] = []
        self.routes = Routes(self.settings.routes, self.settings.queues)
        self._lock = threading.RLock()
        self._connections = {
            name: Connection(self, name, one) for name, one in self.settings.connections.items()
        }
        self.formats = Formats(self.settings, lambda: self.wiring)
        current.enrol(self)

    @lazy
    def wiring(self) -> "Wiring":
        """What the plugins offer and the settings name."""
        with self._lock:
            return self.__dict__.get("wiring") or self._wire()

    def _wire(self) -> "Wiring":
        from packhorse.plugin.wiring import wire

        wiring = wire(self.settings)
        for one in wiring.types:
            register_type(*one)
        for event, listeners in wiring.listeners.items():
            for listener in listeners:
                self.bus.on(event, listener)
        self.__dict__["wiring"] = wiring
        return wiring

    @lazy
    def failed(self) -> "FailedJobs":
        """The failed jobs of all connections."""
        from packhorse.failed import FailedJobs

        return FailedJobs(self)

    @lazy
    def chains(self) -> "Chains":
        """The chains that were dispatched."""
        from packhorse.flow.chains import Chains

        return Chains(self)

    @lazy
    def batches(self) -> "Batches":
        """The batches that were dispatched."""
        from packhorse.flow.batches import Batches

        return Batches(self)

    @property
    def connections(self) -> Sequence[str]:
        """The names of the configured connections."""
        return tuple(self._connections)

    def all_connections(self) -> Sequence[Connection]:
        """The configured connections."""
        return tuple(self._connections.values())

    def connection(self, name: str | None = None) -> Connection:
        """A connection by name, or the default one; raises `ConfigError` if there is none."""
        name = name or self.settings.default
        if name not in self._connections:
            near = nearest(name, self._connections)
            raise ConfigError(f"no connection is called {name!r}; {near}")
        return self._connections[name]

    def queue(self, name: str | None = None, connection: str | None = None) -> Queue:
        """A queue by name (None: the connection's default queue), on the connection that it is on."""
        if connection is None and name is not None:
            connection = self.routes.of_queue(name)
        on = self.connection(connection)
        return Queue(self, on, name or on.settings.queue)

    def dispatch(self, job: Dispatchable[R]) -> JobHandle[R]:
        """Pushes a job where it says; when this returns, the broker has it.

        Raises `InvalidPayload` for arguments that do not fit, `PayloadTooLarge`, `ConnectionLost`.
        """
        return self.push(job)

    async def dispatch_async(self, job: Dispatchable[R]) -> JobHandle[R]:
        """`dispatch` in a helper thread, so that the event loop is not blocked."""
        import asyncio

        return await asyncio.to_thread(self.dispatch, job)

    def dispatch_sync(self, job: Dispatchable[R]) -> R:
        """Runs a job here and now through the whole attempt path and gives its result.

        Retries follow at once, whatever their backoff. Raises what the last attempt raised.
        """
        from packhorse.inline import run_inline

        one = pending(job)
        if said(one, "keep_result"):
            one = one.using(keep_result=0)  # the caller gets it
        if said(one, "unique"):  # nothing is pushed, so there is nothing that could hold a key
            one = one.using(unique=False)
        connection = self.connection_of(one)
        result: Any = run_inline(self, connection, message_for(one, connection))
        return result  # type: ignore[no-any-return]

    def push(
        self,
        job: Dispatchable[R],
        connection: Connection | None = None,
        queue: str | None = None,
    ) -> JobHandle[R]:
        """Pushes a job; `connection` and `queue` win over what it says."""
        return push(self, job, connection, queue)

    def push_many(
        self,
        jobs: Iterable[Dispatchable[R]],
        connection: Connection | None = None,
        queue: str | None = None,
        *,
        validate: bool = True,
    ) -> list[JobHandle[R]]:
        """Pushes jobs in few round trips, in order; `connection` and `queue` win over what they say."""
        return push_many(self, jobs, connection, queue, validate=validate)

    def push_raw(
        self,
        name: str,
        payload: Mapping[str, object] | bytes | str,
        connection: Connection,
        queue: str,
        delay: float = 0.0,
        unique: Unique | None = None,
    ) -> JobHandle[object]:
        """Pushes a job by name; see `Queue.push_raw`."""
        message = raw_message(name, payload, connection, queue, delay, unique)
        return self.send(connection, [message], [name])[0]

    def handle(self, id: UUID | str, connection: str | None = None) -> JobHandle[object]:
        """The handle of a job of which only the id is known, on one connection."""
        return JobHandle(self.connection(connection), id if isinstance(id, UUID) else UUID(id))

    def on(self, event: type[E]) -> Callable[[Listener[E]], Listener[E]]:
        """Registers a listener: `@app.on(JobFailed)`; it hears that event class and its subclasses."""

        def register(listener: Listener[E]) -> Listener[E]:
            self.bus.on(event, listener)
            return listener

        return register

    def carrying(self, carrier: Carrier) -> Carrier:
        """Registers a function that is asked at each push what is to travel as well: `@app.carrying`.

        It gives a mapping as `carry` takes it, in the thread that dispatches; what it raises stops
        the push. Register it at start-up.
        """
        self.carriers.append(carrier)
        return carrier

    def worker(
        self,
        queues: Sequence[str] | None = None,
        *,
        connection: str | None = None,
        concurrency: int = 8,
        name: str | None = None,
        sleep: float = 20.0,
        rest: float = 0.0,
        grace: float = 30.0,
    ) -> "Worker":
        """A worker in this process, for queues in order of preference; see `Worker` and `Worker.run`."""
        from packhorse.worker.worker import Worker

        on = self.connection(connection)
        return Worker(
            self,
            on,
            queues or [on.settings.queue],
            concurrency=concurrency,
            name=name,
            sleep=sleep,
            rest=rest,
            grace=grace,
        )

    def after_fork(self) -> None:
        """Drops what was inherited from the parent process; called in every forked child."""
        self._lock = threading.RLock()
        for connection in self._connections.values():
            connection.after_fork()

    def close(self) -> None:
        """Closes all connections; the app may be used again and opens them again."""
        # Who leans on another's store comes first: its jobs may still have to be kept there.
        every = self._connections.values()
        for connection in sorted(every, key=lambda one: not one.settings.store):
            connection.close()
        current.dismiss(self)

    def __enter__(self) -> "Packhorse":
        current.choose(self)
        return self

    def __exit__(self, *error: object) -> None:
        current.unchoose()
        self.close()

    def route(
        self,
        job: "type[object] | FunctionJob[..., Any, Any]",
        *,
        queue: str | None = None,
        connection: str | None = None,
    ) -> None:
        """Says where jobs go that name no queue or no connection: for a job, or a base class of some.

        The job itself wins over base classes, of these the nearest; queue and connection are looked
        up apart. Call it at start-up. Raises `ConfigError` for a connection that does not exist.
        """
        if connection is not None:
            self.connection(connection)
        self.routes.add(job, Route(queue=queue, connection=connection))

    def connection_of(
        self, job: Pending[Any], given: Connection | None = None, queue: str | None = None
    ) -> Connection:
        """Where a job goes: the given connection, or the one that the job, its route or its queue names.

        `queue` wins over the queue that the job says.
        """
        if given is not None:
            return given
        name = said(job, "connection")
        if name is UNSET and self.routes:
            name = self.routes.connection(job.definition, queue or said(job, "queue"))
        return self.connection(None if name is UNSET else name)

    def send(
        self, connection: Connection, messages: list[Message], names: list[str]
    ) -> list[JobHandle[object]]:
        """Sends messages of the jobs of these names to one connection."""
        return send(self, connection, messages, names)

    def __repr__(self) -> str:
        return f"<Packhorse {', '.join(repr(one) for one in self._connections.values())}>"

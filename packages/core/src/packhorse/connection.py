"""A connection: one configured driver, with its store and codecs, opened when it is first used."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgspec import UNSET, Raw, UnsetType

from packhorse.carrying import outgoing
from packhorse.current import is_alone
from packhorse.driver.abilities import Pauses
from packhorse.driver.contract import Driver, DriverSetup, Runner
from packhorse.driver.message import Message, Sent, Unique
from packhorse.driver.url import Url
from packhorse.errors import StoreRequired, Unsupported
from packhorse.forwarding import line, lines, resolve
from packhorse.settings import CONNECTION_KEYS, ConnectionSettings
from packhorse.store.contract import Store
from packhorse.wire.envelope import Claim

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.control import Control
    from packhorse.definition import Definition
    from packhorse.store.unique import UniqueKeys
    from packhorse.wire.codec import Codec
    from packhorse.wire.serializer import Serializer

A = TypeVar("A")


class Connection:
    """What an app calls by `name`. Thread-safe; `driver` and `store` open at first use."""

    def __init__(self, app: "Packhorse", name: str, settings: ConnectionSettings) -> None:
        self.name = name
        self.settings = settings
        self.url = Url.parse(settings.url, settings.options, CONNECTION_KEYS)
        self._forward = resolve(settings.forward)
        self._app = app
        self._lock = threading.RLock()
        self._driver: Driver | None = None
        self._store: Store | None = None

    @property
    def driver(self) -> Driver:
        """The driver; raises `UnknownDriver`, `PluginError` or `ConfigError` when it cannot be had."""
        if self._driver is None:
            with self._lock:
                if self._driver is None:
                    kind = self._app.wiring.driver(self.url.scheme)
                    self._refuse_elsewhere(self.url)
                    self._driver = kind.open(self.url, self._setup())
        return self._driver

    @property
    def store(self) -> Store:
        """The store: the companion that `store =` names, else the driver's own.

        Raises `StoreRequired` where there is neither.
        """
        if self._store is None:
            with self._lock:
                if self._store is None:
                    self._store = self._store_opener()()
        return self._store

    def require_store(self) -> None:
        """Raises `StoreRequired` if there is no store; opens none."""
        self._store_opener()

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        """Sends messages as `Driver.send` does, with unique keys in the store if the broker has none."""
        driver = self.driver
        if driver.capabilities.unique or all(one.unique is None for one in messages):
            return driver.send(messages)
        return self.unique_keys().send(messages, driver.send)

    def claim(self, unique: Unique | None) -> Claim | None:
        """What a message has to say of its unique key; None if it has none or the broker keeps it.

        Raises `StoreRequired` where neither the broker nor a store keeps keys.
        """
        if unique is None or self.driver.capabilities.unique:
            return None
        try:
            self.require_store()
        except StoreRequired as error:
            raise StoreRequired(
                f"unique jobs need a store where the broker keeps no keys: {error}"
            ) from None
        return Claim(self.name, unique)

    def unique_keys(self) -> "UniqueKeys":
        """The unique keys of a broker that keeps none; raises `StoreRequired`."""
        from packhorse.store.unique import UniqueKeys

        return UniqueKeys(self.store, self.name, self.driver.capabilities.retention)

    @property
    def control(self) -> "Control":
        """Restarts and pauses the workers of this connection, and tells which live."""
        from packhorse.control import Control

        return Control(self._app, self)

    def pauses(self) -> Pauses:
        """What pauses single queues: the broker, or the store where that cannot.

        Raises `StoreRequired` where there is neither, `Unsupported` where nothing is handed out.
        """
        driver: object = self.driver
        if not isinstance(driver, Pauses) and self.driver.has_workers:
            from packhorse.pausing import StorePauses

            return StorePauses(self.store, self.name)
        return self.able(Pauses, "pause a queue")

    def able(self, ability: type[A], what: str) -> A:
        """The driver as one that has an ability; raises `Unsupported` if it lacks it."""
        driver: object = self.driver
        if not isinstance(driver, ability):
            raise Unsupported(
                f"connection {self.name!r}: the driver of {self.url.scheme}:// cannot {what}"
            )
        return driver

    def codecs(self, names: tuple[str, ...] | None = None) -> "tuple[Codec, ...]":
        """The codecs of these names, or those of the connection, innermost first."""
        names = self.settings.codecs if names is None else names
        return tuple(self._app.formats.codec(name) for name in names) if names else ()

    def known_codecs(self) -> "Mapping[str, Codec]":
        """The codecs that messages may have gone through: those that connections and jobs name."""
        return self._app.formats.known_codecs()

    def serializer(self, name: str | None = None) -> "Serializer":
        """The serializer of that name, or the connection's."""
        return self._app.formats.serializer(name or self.settings.serializer)

    def queue_of(self, definition: "Definition", said: str | UnsetType) -> str:
        """Where a job goes: the queue that was said, its route's, or the connection's own."""
        if said is UNSET:
            routes = self._app.routes
            said = (routes.of(definition).queue if routes else None) or self.settings.queue
        return self.forwarded(said)

    def outgoing(self) -> Mapping[str, Raw]:
        """What travels beside the arguments of what is pushed here and now."""
        return outgoing(self._app.carriers)

    def forwarded(self, queue: str) -> str:
        """The queue that a name stands for when something is pushed."""
        return self._forward.get(queue, queue)

    def line(self, queue: str) -> Sequence[str]:
        """A queue with all names that are forwarded to it, those first; it may be one of them."""
        return line(queue, self._forward)

    def lines(self, queues: Sequence[str]) -> tuple[str, ...]:
        """What a worker of these queues serves: their lines, in their order."""
        return lines(queues, self._forward)

    def after_fork(self) -> None:
        """Drops what was inherited from the parent process."""
        self._lock = threading.RLock()
        for part in (self._driver, self._store):
            if part is not None:
                part.after_fork()

    def reopen(self) -> Driver | None:
        """Lets the next use open a new driver; gives the one until now, for the caller to close."""
        with self._lock:
            driver, self._driver = self._driver, None
        return driver

    def close(self) -> None:
        """Closes driver and store; using the connection again opens them again."""
        with self._lock:
            driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()  # which may still run jobs, and they may need the store
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _setup(self) -> DriverSetup:
        return DriverSetup(
            connection=self.name,
            lease=self.settings.lease,
            options=self.settings.options,
            peer=lambda name: self._app.connection(name).driver,
            runner=self._runner,
            notify=self._app.bus.emit,
        )

    def _runner(self) -> Runner:
        from packhorse.inline import InlineRunner

        return InlineRunner(self._app, self)

    def _store_opener(self) -> Callable[[], Store]:
        companion = self.settings.store
        if companion is not None and "://" not in companion:
            other = self._app.connection(companion)
            other.require_store()
            return lambda: other.store
        url = self.url if companion is None else Url.parse(companion)
        open_store = self._app.wiring.store(url.scheme)
        if open_store is None:
            raise StoreRequired(
                f"connection {self.name!r}: {url.scheme}:// brings no store; name a companion in its "
                'settings, for example store = "sqlite:///packhorse.db"'
            )

        def opened() -> Store:
            self._refuse_elsewhere(url)
            return open_store(url, self._setup())

        return opened

    def _refuse_elsewhere(self, url: Url) -> None:
        """Raises `Unsupported` for what lives in the worker's process, if this is another."""
        if is_alone() and self._app.wiring.driver(url.scheme).local:
            raise Unsupported(
                f"connection {self.name!r}: {url.scheme}:// lives in the worker's process, and this job "
                "runs in one of its own (isolate), which cannot reach it"
            )

    def __repr__(self) -> str:
        return f"<connection {self.name} {self.url}>"

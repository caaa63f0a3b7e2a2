"""What hooks return: small frozen declarations, with import strings instead of imported things.

An import string is `"package.module:name"`. It is imported when the configuration names the thing,
not before, so that listing plugins costs nothing.
"""

from typing import Literal, Protocol

from msgspec import Struct


class DriverSpec(Struct, frozen=True):
    """A driver: a subclass of `packhorse.plugin.Driver`, for URLs of `scheme`."""

    scheme: str
    load: str
    contract: int = 1


class StoreSpec(Struct, frozen=True):
    """A store for connections of `scheme`: a callable from `(Url, DriverSetup)` to a `Store`."""

    scheme: str
    load: str
    contract: int = 1


class SerializerSpec(Struct, frozen=True):
    """A serializer: a subclass of `packhorse.plugin.Serializer`."""

    name: str
    load: str
    contract: int = 1


class CodecSpec(Struct, frozen=True):
    """A codec: a callable from its settings (a mapping) to a `packhorse.plugin.Codec`."""

    name: str
    load: str
    contract: int = 1


class TypeSpec(Struct, frozen=True):
    """How one type travels: `encode` makes a JSON-able value of it, `decode` the reverse.

    All are import strings. `decode` takes `(type, value)`, so that one spec serves subclasses.
    """

    type: str
    encode: str
    decode: str


class MiddlewareSpec(Struct, frozen=True):
    """A middleware round every attempt: a generator function of a `JobContext`."""

    name: str
    load: str
    order: int = 0


class DispatchingSpec(Struct, frozen=True):
    """A generator function round every push: it gets the `Push`es, and its `yield` is where they are
    sent; what it raises before stops them."""

    name: str
    load: str
    order: int = 0


class ListenerSpec(Struct, frozen=True):
    """A listener: a callable for each of the named event classes of `packhorse.events`."""

    name: str
    load: str
    events: tuple[str, ...]


class ServiceSpec(Struct, frozen=True):
    """A service that starts and stops with a worker: a callable from the app to an object with
    `start()` and `stop()`."""

    name: str
    load: str


class Service(Protocol):
    """What a service's callable returns; both are called in the worker's main thread."""

    def start(self) -> None:
        """Called once, before the worker reserves."""
        ...

    def stop(self) -> None:
        """Called once, after the worker's last settlement."""
        ...


class CommandSpec(Struct, frozen=True):
    """A command of the command line: a `click.Command` under `name`."""

    name: str
    load: str
    summary: str = ""


class SettingSpec(Struct, frozen=True):
    """A table of settings, `[NAME]` in packhorse.toml: `model` is a `msgspec.Struct` type."""

    name: str
    model: str


class CheckSpec(Struct, frozen=True):
    """A check for `packhorse doctor`: a callable from the app to a list of `CheckResult`."""

    name: str
    load: str


class CheckResult(Struct, frozen=True):
    """What a check found: a line to read, and what to do if it is not good."""

    name: str
    state: Literal["ok", "warning", "error"]
    message: str
    advice: str = ""

"""What the throwaway plugins of these tests declare."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from packhorse.plugin import CheckResult, Codec, Serializer
from packhorse.sending import Push
from packhorse.store.memory import MemoryStore

T = TypeVar("T")
open_store = MemoryStore


class Demo(Struct):
    """A type that travels."""

    value: int


def write_demo(demo: Demo) -> int:
    return demo.value


def read_demo(type: type[Demo], value: int) -> Demo:
    return type(value)


class PlainSerializer(Serializer):
    name = "plain"

    def encode(self, arguments: object) -> bytes:
        return msgspec.json.encode(arguments)

    def decoder(self, type: type[T]) -> Callable[[bytes], T]:
        return msgspec.json.Decoder(type).decode


class Reversing(Codec):
    name = "reversing"

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.settings = settings

    def encode(self, data: bytes, bound: bytes) -> bytes:
        return data[::-1]

    def decode(self, data: bytes, bound: bytes) -> bytes:
        return data[::-1]


def make_broken_codec(settings: Mapping[str, object]) -> Codec:
    raise ValueError("the key is hunter2")


def make_no_codec(settings: Mapping[str, object]) -> str:
    return "no codec"


class ReversingSettings(Struct):
    level: int = 3
    key: str | None = None


class NeedySettings(Struct):
    url: str
    level: int = msgspec.field(default=1, name="strength")


def outer(ctx: object) -> Generator[None]:
    yield


def inner(ctx: object) -> Generator[None]:
    yield


def stamp(pushes: Sequence[Push]) -> Iterator[None]:
    yield


def listen(event: object) -> None: ...


class Clockwork:
    def __init__(self, app: object) -> None:
        self.app = app

    def start(self) -> None: ...

    def stop(self) -> None: ...


def command() -> None: ...


def check(app: object) -> list[CheckResult]:
    return [CheckResult("demo", "ok", "all is well")]


NOT_CALLABLE = 1

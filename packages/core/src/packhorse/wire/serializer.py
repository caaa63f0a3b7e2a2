"""The serializer contract, version 1, and JSON, the default: arguments to bytes and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import msgspec

from packhorse.wire.types import decode_custom, encode_custom

CONTRACT = 1
T = TypeVar("T")


class Serializer(ABC):
    """Writes a job's arguments (a `msgspec.Struct` of its annotations) and reads them back.

    Called by any thread. Reading validates against the annotations and never imports, evaluates or
    builds anything that the annotations do not name.
    """

    name: ClassVar[str]

    @abstractmethod
    def encode(self, arguments: object) -> bytes:
        """The bytes of these arguments; raises `TypeError` or `ValueError` for what cannot travel."""

    @abstractmethod
    def decoder(self, type: type[T]) -> Callable[[bytes], T]:
        """A function that reads and validates; it raises `ValueError` for what does not fit."""


class JsonSerializer(Serializer):
    """JSON by msgspec, with the types that are registered beside msgspec's own."""

    name = "json"

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=encode_custom)

    def encode(self, arguments: object) -> bytes:
        return self._encoder.encode(arguments)

    def decoder(self, type: type[T]) -> Callable[[bytes], T]:
        return msgspec.json.Decoder(type, dec_hook=decode_custom).decode


JSON = JsonSerializer()

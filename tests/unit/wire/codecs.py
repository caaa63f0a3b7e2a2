"""Two codecs for the tests: one that hides and binds, one that only turns bytes round."""

import hashlib
from collections.abc import Mapping

from packhorse.errors import DecryptionError, InvalidPayload
from packhorse.wire.codec import Codec

TAG = 8
"""Bytes in front of what `Toy` makes."""


class Toy(Codec):
    """Any language can write it: the first 8 bytes of SHA-256(bound), then each byte XOR 0x5A.

    It hides nothing from anybody; it is here to be reproduced.
    """

    name = "toy"
    seals = True

    def encode(self, data: bytes, bound: bytes) -> bytes:
        return hashlib.sha256(bound).digest()[:TAG] + bytes(byte ^ 0x5A for byte in data)

    def decode(self, data: bytes, bound: bytes) -> bytes:
        if data[:TAG] != hashlib.sha256(bound).digest()[:TAG]:
            raise DecryptionError("the seal is broken")
        return bytes(byte ^ 0x5A for byte in data[TAG:])


class Reversed(Codec):
    """Needs a mark at its end, which a reader can miss."""

    name = "reversed"

    def encode(self, data: bytes, bound: bytes) -> bytes:
        return data[::-1] + b"!"

    def decode(self, data: bytes, bound: bytes) -> bytes:
        if not data.endswith(b"!"):
            raise InvalidPayload("not a reversed body")
        return data[:-1][::-1]


class Careless(Codec):
    """Breaks its contract: what it is given to read makes it raise anything."""

    name = "careless"

    def encode(self, data: bytes, bound: bytes) -> bytes:
        return data

    def decode(self, data: bytes, bound: bytes) -> bytes:
        raise KeyError("the secret is 42")


def toy(settings: Mapping[str, object]) -> Toy:
    """Makes a codec as a plugin does."""
    return Toy()


TOY_PLUGIN = """
from packhorse.plugin import CodecSpec, hookimpl

@hookimpl
def packhorse_codecs():
    return [CodecSpec("toy", "tests.unit.wire.codecs:toy")]
"""
"""The source of a plugin that brings the codec."""

KNOWN: dict[str, Codec] = {each.name: each for each in (Toy(), Reversed(), Careless())}

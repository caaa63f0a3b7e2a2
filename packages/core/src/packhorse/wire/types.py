"""How types beyond msgspec's own travel: the registry that serializers read."""

import ipaddress
import pathlib
from collections.abc import Callable
from typing import Any

Encode = Callable[[Any], object]
Decode = Callable[[type, Any], object]

_custom: dict[type, tuple[Encode, Decode]] = {}


def register_type(type: type, encode: Encode, decode: Decode) -> None:
    """Lets a type and its subclasses travel: `encode(value)` is JSON-able, `decode(type, value)` reads it."""
    _custom[type] = (encode, decode)


def _as_text(type: type, value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"expected text for {type.__name__}")
    return type(value)


for _type in (
    pathlib.PurePath,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
):
    register_type(_type, str, _as_text)


def registered(type: type) -> bool:
    """Whether a type beyond msgspec's own can travel."""
    return _find(type) is not None


def _find(type: type) -> tuple[Encode, Decode] | None:
    for base in type.__mro__:
        if base in _custom:
            return _custom[base]
    return None


def encode_custom(value: object) -> object:
    """msgspec's hook for writing; raises `TypeError` for a type that nobody registered."""
    known = _find(type(value))
    if known is None:
        raise TypeError(
            f"a {type(value).__name__} cannot travel; send something JSON-able, "
            "or register the type through the packhorse_types hook"
        )
    return known[0](value)


def decode_custom(type: type, value: object) -> object:
    """msgspec's hook for reading; raises `ValueError` for a type that nobody registered."""
    known = _find(type)
    if known is None:
        raise ValueError(f"{type.__name__} is not registered through the packhorse_types hook")
    return known[1](type, value)

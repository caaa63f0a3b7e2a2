"""Which types may stand in a job's annotations, and how those beyond msgspec's own travel."""

import ipaddress
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec.inspect

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


def unregistered(annotation: object) -> list[str]:
    """The names of the types in an annotation that cannot travel yet: a plugin may bring them.

    Raises `TypeError` for what never can: a union that JSON cannot tell apart, a callable.
    """
    found = []
    for node in _walk(msgspec.inspect.type_info(annotation)):
        if not isinstance(node, msgspec.inspect.CustomType):
            continue
        if node.cls in (Callable, object):
            raise TypeError(f"{getattr(node.cls, '__name__', node.cls)} cannot travel in a message")
        if _find(node.cls) is None:
            found.append(node.cls.__name__)
    # type_info accepts more than a decoder does: build one to hear the rest.
    msgspec.json.Decoder(annotation)
    return found


def _walk(node: object, seen: frozenset[type] = frozenset()) -> Iterator[object]:
    yield node
    if isinstance(node, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        if node.cls in seen:
            return
        seen |= {node.cls}
    for name in getattr(node, "__struct_fields__", ()):
        value = getattr(node, name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, msgspec.inspect.Field):
                yield from _walk(child.type, seen)
            elif isinstance(child, msgspec.inspect.Type):
                yield from _walk(child, seen)

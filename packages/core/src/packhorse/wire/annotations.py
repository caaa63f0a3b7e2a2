"""Which annotations of a job's arguments can travel. Imported when a job is defined, not before."""

from collections.abc import Callable, Iterator

import msgspec.inspect

from packhorse.wire.types import registered


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
        if not registered(node.cls):
            found.append(node.cls.__name__)
    # type_info accepts more than a decoder does: build one to hear the rest.
    msgspec.json.Decoder(annotation)
    return found


_BY_CLASS = (
    msgspec.inspect.StructType,
    msgspec.inspect.DataclassType,
    msgspec.inspect.TypedDictType,
    msgspec.inspect.NamedTupleType,
)
"""Types that may hold themselves."""


def _walk(node: object, seen: frozenset[type] = frozenset()) -> Iterator[object]:
    yield node
    if isinstance(node, _BY_CLASS):
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

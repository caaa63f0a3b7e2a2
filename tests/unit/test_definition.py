"""What travels in a job's arguments: each supported type there and back, and nothing but what fits."""

import dataclasses
import enum
import ipaddress
import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from packhorse import InvalidPayload, JobDefinitionError, Packhorse, job
from packhorse.definition import Definition
from packhorse.errors import PackhorseError
from packhorse.options import NOTHING
from packhorse.wire import types
from tests.unit.wire.making import json_value, text


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(Struct):
    x: int
    y: int = 0


@dataclasses.dataclass
class Tree:
    name: str
    children: "list[Tree]"


class Chain(TypedDict):
    next: "Chain | None"


class Link(NamedTuple):
    next: "Link | None"


def defined(annotation: object, name: str = "j") -> Definition:
    """A job with one argument, `x`."""
    arguments = msgspec.defstruct("arguments", [("x", annotation)], forbid_unknown_fields=True)
    return Definition(name, name, NOTHING, lambda: arguments, lambda *_: None, is_async=False)


def encode(definition: Definition, value: object, validate: bool = True) -> bytes:
    return definition.encode(definition._arguments()(value), validate=validate)


def there_and_back(annotation: object, value: object) -> object:
    definition = defined(annotation)
    return definition.decode(encode(definition, value)).x  # type: ignore[attr-defined]


finite = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**63), 2**64 - 1)
trees = st.recursive(
    st.builds(Tree, text, st.just([])),
    lambda inner: st.builds(Tree, text, st.lists(inner, max_size=2)),
    max_leaves=5,
)
TYPES: dict[str, tuple[object, st.SearchStrategy[Any]]] = {
    "None": (None, st.none()),
    "bool": (bool, st.booleans()),
    "int": (int, whole),
    "float": (float, finite),
    "str": (str, text),
    "bytes": (bytes, st.binary()),
    "datetime": (datetime, st.datetimes(timezones=st.just(UTC))),
    "naive datetime": (datetime, st.datetimes()),
    "date": (date, st.dates()),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas(timedelta(-9999), timedelta(9999))),
    "UUID": (UUID, st.uuids()),
    "Decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    "Enum": (Color, st.sampled_from(Color)),
    "Literal": (Literal["a", 1], st.sampled_from(["a", 1])),
    "list": (list[int], st.lists(whole)),
    "tuple": (tuple[int, str], st.tuples(whole, text)),
    "set": (set[int], st.sets(whole)),
    "frozenset": (frozenset[str], st.frozensets(text)),
    "dict": (dict[str, float], st.dictionaries(text, finite)),
    "dict of int": (dict[int, str], st.dictionaries(whole, text)),
    "Struct": (Point, st.builds(Point, whole, whole)),
    "dataclass in itself": (Tree, trees),
    "TypedDict in itself": (Chain, st.just({"next": {"next": None}})),
    "NamedTuple in itself": (Link, st.just(Link(Link(None)))),
    "a union": (int | str | list[int] | None, whole | text | st.lists(whole) | st.none()),
    "Any": (Any, json_value),
    "Path": (Path, st.from_regex(r"[a-z/]+", fullmatch=True).map(Path)),
    "PurePosixPath": (PurePosixPath, st.just(PurePosixPath("a/b"))),
    "IPv4": (ipaddress.IPv4Address, st.ip_addresses(v=4)),
    "IPv6 network": (ipaddress.IPv6Network, st.just(ipaddress.IPv6Network("::/64"))),
    "list of Path": (list[Path], st.just([Path("a"), Path("b")])),
    "with limits": (Annotated[int, Meta(ge=0)], st.integers(0, 2**63)),
}


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data())
def test_there_and_back(kind: str, data: st.DataObject) -> None:
    annotation, values = TYPES[kind]
    value = data.draw(values)
    back = there_and_back(annotation, value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("annotation", "given", "back"),
    [
        (float, 1, 1.0),
        (list[int], (1, 2), [1, 2]),
        (list[int], {1}, [1]),
        (Color, "red", Color.RED),
        (Point, {"x": 1}, Point(1)),
        (Path, "a/b", Path("a/b")),
        (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
        (bytes, "YWJj", b"abc"),
        (tuple[int, ...], [1, 2], (1, 2)),
        (list[Path], (Path("a"),), [Path("a")]),
    ],
)
def test_what_means_the_same_in_json_may_be_given(
    annotation: object, given: object, back: object
) -> None:
    assert there_and_back(annotation, given) == back


WRONG: list[tuple[object, object, str]] = [
    (int, "5", "Expected `int`, got `str`"),
    (int, 1.0, "Expected `int`, got `float`"),
    (int, True, "Expected `int`, got `bool`"),
    (int, None, "Expected `int`, got `null`"),
    (str, 5, "Expected `str`, got `int`"),
    (str, b"abc", "Expected `str`, got `bytes`"),
    (str, datetime(2020, 1, 1), "Expected `str`, got `datetime`"),
    (str, UUID(int=1), "Expected `str`, got `uuid`"),
    (list[str], [b"abc"], "Expected `str`, got `bytes`"),
    (dict[str, str], {"a": b"abc"}, "Expected `str`, got `bytes`"),
    (Point, Point("a"), "Expected `int`, got `str`"),  # type: ignore[arg-type]
    (Color, "green", "Invalid enum value"),
    (bytes, "no base64!", "Invalid base64"),
    (Annotated[int, Meta(ge=3)], 1, "Expected `int` >= 3"),
    (Literal["a"], "b", "Invalid enum value"),
    (timedelta, 5, "Expected `duration`, got `int`"),
    (str, "\ud800", "surrogates not allowed"),
    (Any, object(), "a object cannot travel; send something JSON-able, or register the type"),
    (Any, {(1, 2): 3}, "cannot travel"),
    (float, math.nan, "a NaN or an infinity, which JSON cannot carry"),
    (float, math.inf, "a NaN or an infinity"),
    (float | None, -math.inf, "a NaN or an infinity"),
    (list[float | None], [1.0, math.nan], "a NaN or an infinity"),
    (Any, {"a": [math.nan]}, "a NaN or an infinity"),
]


@pytest.mark.parametrize(("annotation", "value", "what"), WRONG)
def test_what_does_not_fit_is_refused_at_dispatch(
    annotation: object, value: object, what: str
) -> None:
    with pytest.raises(InvalidPayload) as caught:
        encode(defined(annotation), value)
    assert str(caught.value).startswith("job j: ")
    assert what in str(caught.value)


def test_null_is_no_nan() -> None:
    assert there_and_back(list[float | None], [None, 1.0]) == [None, 1.0]
    assert there_and_back(str, "null") == "null"


def test_without_validation_only_what_cannot_be_written_is_refused() -> None:
    assert encode(defined(int), "5", validate=False) == b'{"x":"5"}'
    with pytest.raises(InvalidPayload, match="cannot travel"):
        encode(defined(Any), object(), validate=False)


@given(json_value | st.dictionaries(text, json_value))
def test_any_json_is_read_or_refused(value: object) -> None:
    with suppress(InvalidPayload):
        defined(int | list[str] | None).decode(json.dumps(value).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b'{"x":1,"y":2}', b"{}", b'{"x":"\xff"}', b"[" * 100_000],
)
def test_arguments_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(InvalidPayload, match=r"^job j: wrong arguments: "):
        defined(int).decode(data)


def test_an_argument_that_the_job_does_not_have_is_named() -> None:
    with pytest.raises(InvalidPayload, match="unknown field `y`"):
        defined(int).decode(b'{"x":1,"y":2}')


@pytest.mark.parametrize(
    ("annotation", "what"),
    [
        (object, "object cannot travel"),
        (Callable[[], None], "Callable cannot travel"),
        (list[Callable[[], None]], "Callable cannot travel"),
        (bytes | str, "more than one str-like"),
        (Point | Tree, "more than one"),
        (dict[str, Point | dict[str, int]], "more than one dict-like"),
    ],
)
def test_an_annotation_that_cannot_travel_is_refused_when_the_job_is_defined(
    annotation: object, what: str
) -> None:
    with pytest.raises(JobDefinitionError, match=f"^job j: argument 'x': .*{what}"):
        defined(annotation)


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    __hash__ = None  # type: ignore[assignment]


def test_a_type_that_nobody_knows_yet_may_be_brought_by_a_plugin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(types, "_custom", dict(types._custom))
    definition = defined(list[Money])
    assert definition.check() == ["Money"]
    with pytest.raises(InvalidPayload, match=r"a Money cannot travel; .* packhorse_types hook"):
        encode(definition, [Money(5)])
    with pytest.raises(InvalidPayload, match="Money is not registered through the packhorse_types"):
        definition.decode(b'{"x":[5]}')
    types.register_type(Money, lambda money: money.cents, lambda type, value: type(value))
    assert definition.check() == []
    assert there_and_back(list[Money], [Money(5)]) == [Money(5)]


def test_what_a_type_raises_is_an_invalid_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise KeyError("oh")

    monkeypatch.setattr(types, "_custom", dict(types._custom))
    types.register_type(Money, lambda money: money.cents, broken)
    with pytest.raises(InvalidPayload, match="job j: wrong arguments: 'oh'"):
        defined(Money).decode(b'{"x":5}')
    types.register_type(Money, broken, broken)
    with pytest.raises(InvalidPayload, match="job j: the arguments cannot be sent: 'oh'"):
        encode(defined(Money), Money(5))


def test_push_many_may_leave_checking_to_the_worker() -> None:
    @job(name="checked")
    def checked(a: int) -> None: ...

    wrong = checked.bind("5")  # type: ignore[arg-type]
    with Packhorse("memory://") as app:
        queue = app.queue()
        with pytest.raises(PackhorseError):
            queue.push_many([wrong])
        assert queue.size() == 0
        queue.push_many([wrong], validate=False)
        assert queue.size() == 1

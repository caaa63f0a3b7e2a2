"""What a unique key is made of: the same for the same job, another for another."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse import InvalidPayload, Packhorse, PluginError, Unique, job
from packhorse.dispatch import message_for
from packhorse.keys import LONGEST, hidden, key_of, unique_of
from packhorse.pending import Pending
from packhorse.wire.codec import Codec
from packhorse.wire.serializer import JSON, Serializer


@job(name="keys.job")
def takes(
    text: str = "",
    number: float = 0.0,
    table: dict[str, int] | None = None,
    some: set[int] = frozenset(),  # type: ignore[assignment]
    path: Path = Path(),
    at: datetime | None = None,
) -> None: ...


@job(name="keys.other")
def other(text: str = "", number: float = 0.0) -> None: ...


class MessagePack(Serializer):
    """Another serializer, whose bytes are no text."""

    name = "msgpack"

    def encode(self, arguments: object) -> bytes:
        return msgspec.msgpack.encode(arguments, enc_hook=str)

    def decoder(self, type: Any) -> Any:
        return msgspec.msgpack.Decoder(type, dec_hook=lambda kind, value: kind(value)).decode


def key(pending: Pending[Any], serializer: Serializer = JSON) -> str:
    args = pending.definition.encode(pending.arguments, serializer)
    unique = unique_of(True, pending, args, serializer)
    assert unique is not None
    return unique.key


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
arguments = st.fixed_dictionaries(
    {},
    optional={
        "text": texts,
        "number": (st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5)).map(
            lambda number: number or 0  # minus nought is nought
        ),
        "table": st.none() | st.dictionaries(texts, st.integers(-5, 5), max_size=4),
        "some": st.sets(st.integers(0, 9)),
        "path": st.sampled_from([Path("a"), Path("b/c")]),
        "at": st.none() | st.datetimes(),
    },
)


def canonical(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments with what is left out, as the job gets them."""
    default = {"text": "", "number": 0.0, "table": None, "some": set(), "path": Path(), "at": None}
    return default | given


@given(first=arguments, second=arguments, order=st.randoms(use_true_random=False))
def test_a_key_is_the_same_for_the_same_arguments_alone(
    first: dict[str, Any], second: dict[str, Any], order: Any
) -> None:
    shuffled = list(canonical(first).items())
    order.shuffle(shuffled)
    table = first.get("table")
    if table:
        items = list(table.items())
        order.shuffle(items)
        shuffled = [(name, dict(items) if name == "table" else v) for name, v in shuffled]
    same = key(takes.bind(**dict(shuffled)))
    assert key(takes.bind(**first)) == same
    assert key(takes.bind(**first), MessagePack()) == same
    assert len(same.encode()) <= LONGEST
    assert (key(takes.bind(**second)) == same) == (canonical(first) == canonical(second))


@given(name=texts.filter(bool), other=texts.filter(bool), own=texts)
def test_two_jobs_share_no_key_of_their_arguments(name: str, other: str, own: str) -> None:
    if ":" not in name + other:
        assert (key_of(name, own) == key_of(other, own)) == (name == other)
    assert len(key_of(name, own).encode()) <= LONGEST


def test_a_number_counts_as_what_the_job_gets() -> None:
    assert key(other.bind(number=1)) == key(other.bind(number=1.0))
    assert key(other.bind("a")) == 'keys.other:{"text":"a","number":0.0}'
    assert key(other.bind()).startswith("keys.other:")


def test_text_that_is_no_unicode_is_no_key() -> None:
    with pytest.raises(InvalidPayload, match=r"job keys\.job: its unique key cannot be written"):
        key_of("keys.job", "\ud800")


class Seals(Codec):
    name = "seals"
    seals = True

    def encode(self, data: bytes, bound: bytes) -> bytes:
        return data

    def decode(self, data: bytes, bound: bytes) -> bytes:
        return data


class Hashes(Seals):
    def hash_key(self, key: str) -> str:
        return f"hashed-{len(key)}"


class Compresses(Seals):
    seals = False

    def hash_key(self, key: str) -> str:
        raise AssertionError("it does not seal")


def test_what_is_sealed_is_hashed() -> None:
    assert hidden("secret", [Compresses(), Hashes()]) == "hashed-6"
    assert hidden("plain", [Compresses()]) == "plain"
    with pytest.raises(PluginError, match="codec 'seals' seals messages and leaves unique keys"):
        hidden("secret", [Seals()])


def test_no_key_and_no_group_of_a_sealed_message_leaves_in_clear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Packhorse("memory://") as app:
        monkeypatch.setattr(app.formats, "codec", lambda name: Hashes())
        sealed = takes.using(codecs=["seals"], unique=True, group="account-4711")
        message = message_for(sealed.bind("secret"), app.connection())
        assert message.unique is not None
        assert message.unique.key.startswith("hashed-")
        assert message.group == "hashed-12"
        sealed.dispatch("secret")
        assert sealed.dispatch("secret").skipped


@pytest.mark.parametrize(
    "unique",
    [
        Unique(window=-1),
        Unique(max_wait=float("nan")),
        Unique(until="never"),  # type: ignore[arg-type]
        Unique("\ud800"),
    ],
)
def test_a_wrong_unique_is_refused_where_it_is_said(unique: Unique) -> None:
    from packhorse.errors import JobDefinitionError

    with pytest.raises(JobDefinitionError, match="unique="):
        takes.using(unique=unique)
    with Packhorse("memory://") as app, pytest.raises(JobDefinitionError, match="unique="):
        app.queue().push_raw("x", {}, unique=unique)


def test_push_raw_needs_a_key() -> None:
    with Packhorse("memory://") as app, pytest.raises(Exception, match="unique needs a key here"):
        app.queue().push_raw("x", {}, unique=Unique())

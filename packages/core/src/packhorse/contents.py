"""What lies on a connection and went through one codec: looked through, and written anew where it stands."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from packhorse.driver.abilities import Lists, Rewrites
from packhorse.driver.message import Listed, Rewriting, State
from packhorse.errors import PackhorseError, StoreRequired
from packhorse.graveyard import PAGE, graveyard
from packhorse.wire.codec import Codec
from packhorse.wire.envelope import Envelope
from packhorse.wire.seal import layer, open_envelope, sealed_anew

if TYPE_CHECKING:
    from packhorse.connection import Connection

STATES: tuple[State, ...] = ("parked", "delayed", "waiting", "leased")
"""In this order no message is missed that moves on meanwhile, but one that a worker gives back."""


class Passed(Struct, frozen=True):
    """A message, and what the codec made of its body and, if it is dead, of its record."""

    listed: Listed
    made: tuple[bytes, ...]


def passed(connection: "Connection", codec: str) -> Iterator[list[Passed]]:
    """The messages of a connection that went through a codec, dead ones too, in pages.

    What cannot be read is passed over. Raises `Unsupported` where the broker cannot list, before the
    first page, and `ConnectionLost`.
    """
    for page in _pages(connection):
        found = [(one, _made(connection, one, codec)) for one in page]
        yield [Passed(one, made) for one, made in found if made]


def write_anew(connection: "Connection", codec: str, some: Sequence[Passed]) -> int:
    """Sends messages through a codec once more where they stand; how many were written.

    Those that are leased, changed or gone by now, and those that cannot be opened, stay as they are.
    Raises `Unsupported` where the broker cannot write a message anew.
    """
    changes: dict[bool, list[Rewriting]] = {True: [], False: []}
    for one in some:
        with suppress(PackhorseError):
            changes[one.listed.state == "dead"].append(_rewriting(connection, one.listed, codec))
    written = 0
    if changes[False]:
        rewrites = connection.able(Rewrites, "write a message anew where it stands")
        written += rewrites.rewrite(changes[False])
    if changes[True]:
        written += graveyard(connection).rewrite(changes[True])
    return written


def _pages(connection: "Connection") -> Iterator[list[Listed]]:
    lists = connection.able(Lists, "list messages")
    for state in STATES:
        for queue in lists.queues():
            after, seen = None, set[UUID]()
            while page := lists.list(queue, state, PAGE, after):
                fresh = [one for one in page if one.message.id not in seen]
                if not fresh:  # it began anew, since what it had come to is gone
                    break
                seen.update(one.message.id for one in fresh)
                after = page[-1].message.id
                yield fresh
    with suppress(StoreRequired):  # then none were kept
        graves, after = graveyard(connection), None
        while page := graves.list(None, PAGE, after):
            after = page[-1].message.id
            yield page


def _made(connection: "Connection", listed: Listed, codec: str) -> tuple[bytes, ...]:
    found = []
    for data in (listed.message.body, listed.record):
        with suppress(PackhorseError):
            envelope = open_envelope(data or b"")
            if codec in envelope.enc:
                found.append(layer(envelope, _codecs(connection, envelope), codec))
    return tuple(found)


def _rewriting(connection: "Connection", listed: Listed, codec: str) -> Rewriting:
    body, record = listed.message.body, listed.record
    new = _anew(connection, body, codec)
    return Rewriting(
        listed.message.id, body, new, None if record is None else _anew(connection, record, codec)
    )


def _anew(connection: "Connection", data: bytes, codec: str) -> bytes:
    envelope = open_envelope(data)
    if codec not in envelope.enc:
        return data
    return sealed_anew(envelope, _codecs(connection, envelope), codec)


def _codecs(connection: "Connection", envelope: Envelope) -> dict[str, Codec]:
    return {codec.name: codec for codec in connection.codecs(envelope.enc)}

"""What a connection's store keeps of a job's end: written by its worker, read by whoever waits for it."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

import msgspec

from packhorse.driver.abilities import Lists
from packhorse.errors import JobCancelled, JobFailedError, NoResult, PackhorseError
from packhorse.graveyard import graveyard
from packhorse.registry import find
from packhorse.store.contract import Absent, Group, Older, Put
from packhorse.wire.envelope import Body, Death, End, Envelope, Failure, Progress
from packhorse.wire.seal import embedded, is_sealed, open_body, open_envelope

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.driver.message import Listed

_MOMENT = struct.Struct(">QI")
_DROPPED = {
    "cancelled": "was cancelled",
    "expired": "was not started before it expired",
    "superseded": "was not run: a newer one with its unique key took its place",
}


def result_key(id: UUID) -> str:
    """Where the store keeps how a job ended."""
    return f"result:{id}"


def progress_key(id: UUID) -> str:
    """Where the store keeps how far a job has come."""
    return f"progress:{id}"


def newest(key: str, since: float, number: int, data: bytes, ttl: float) -> tuple[Group, Group]:
    """What writes `data` unless something newer is there: of a later delivery, or of a higher number.

    `since` is when the broker handed the delivery out. A worker that has lost a job, but does not
    know it yet, writes over nothing that comes from its successor.
    """
    value = _MOMENT.pack(int(since * 1e6), number) + data
    put = [Put(key, value, ttl)]
    return Group(put, [Absent(key)], key), Group(put, [Older(key, value)], key)


def newest_data(value: object) -> bytes | None:
    """What `newest` wrote, out of the store's value."""
    return value[_MOMENT.size :] if isinstance(value, bytes) else None


def look(connection: "Connection", id: UUID, asked: bool) -> tuple[Any] | None:
    """A job's result; None while it is not over. Raises what became of it if there is none.

    `asked` says that its result was asked for; else this is looked up as long as it is there. Where the
    broker can be asked, a result counts once the job is off it: until then another attempt may follow.
    """
    driver: object = connection.driver
    listed = None
    if isinstance(driver, Lists):
        listed = driver.get([id])[0]
        if listed is not None and not asked:
            _check_asked(connection, listed)
        if listed is not None and listed.state != "dead":
            return None
    found = _kept(connection, id)
    if found is not None:
        return (_value(connection, *found),)
    dead = listed or graveyard(connection).get([id])[0]
    if dead is not None and dead.record is not None:
        record = open_envelope(dead.record)
        death = open_body(record, connection.known_codecs(), Death)
        _raise_failed(connection, record, death.reason, death.failures[-1:])
    if isinstance(driver, Lists):
        raise NoResult(
            f"job {id}: no result is kept on connection {connection.name!r}: it was never sent there "
            "or was cleared, its keep_result is over, or the code of its worker says none"
        )
    return None


def _kept(connection: "Connection", id: UUID) -> tuple[Envelope, End] | None:
    data = newest_data(connection.store.read([result_key(id)])[0])
    if data is None:
        return None
    envelope = open_envelope(data)
    return envelope, open_body(envelope, connection.known_codecs(), End)


def kept_end(connection: "Connection", id: UUID) -> End | None:
    """How a job ended, as far as that is kept."""
    found = _kept(connection, id)
    return None if found is None else found[1]


def last_progress(connection: "Connection", id: UUID) -> Progress | None:
    """How far a job had come when it last said so."""
    data = newest_data(connection.store.read([progress_key(id)])[0])
    if data is None:
        return None
    return open_body(open_envelope(data), connection.known_codecs(), Progress)


def no_result(job: str, id: UUID) -> NoResult:
    """What to raise for a job that does not keep its result."""
    return NoResult(
        f"job {job} {id}: its result is not kept; say for how many seconds, "
        "@job(keep_result=3600), or using(keep_result=3600) for one message"
    )


def _check_asked(connection: "Connection", listed: "Listed") -> None:
    """Raises `NoResult` if the message and the job say that no result is kept."""
    try:
        envelope = open_envelope(listed.message.body)
        body = open_body(envelope, connection.known_codecs(), Body)
    except PackhorseError:
        return  # nobody can tell here
    definition = find(envelope.job)
    if "keep_result" in body.overrides:
        kept = bool(msgspec.json.decode(body.overrides["keep_result"]))
    else:
        kept = definition is None or definition.may_keep_result
    if not kept:
        raise no_result(envelope.job, listed.message.id)


def _value(connection: "Connection", envelope: Envelope, end: End) -> object:
    """What the handler returned, typed by its annotation where this process knows the job."""
    if end.how == "failed":
        _raise_failed(connection, envelope, end.reason, [end.failure] if end.failure else [])
    if end.how in _DROPPED:
        raise JobCancelled(f"job {envelope.job} {envelope.id} {_DROPPED[end.how]}")
    serializer = connection.serializer(end.ser)
    data = embedded(end.value, end.ser, "result's bytes")
    definition = find(envelope.job)
    if definition is None:
        return serializer.decoder(object)(data)
    return definition.result.decode(data, serializer)


def _raise_failed(
    connection: "Connection", envelope: Envelope, reason: str, failures: "Sequence[Failure]"
) -> NoReturn:
    failure = failures[-1] if failures else None
    text = f"job {envelope.job} {envelope.id} has failed"
    if is_sealed(envelope, connection.known_codecs()):
        raise JobFailedError(f"{text}; what went wrong is sealed", reason, failure)
    if failure is None:
        raise JobFailedError(f"{text}: {reason}", reason)
    raise JobFailedError(
        f"{text}: {reason}: {failure.type}: {failure.message}", reason, failure
    ) from RemoteTraceback(failure.traceback)


class RemoteTraceback(Exception):
    """The traceback of an attempt in another process, as text."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'

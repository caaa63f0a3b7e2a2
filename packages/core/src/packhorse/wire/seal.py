"""Writing and reading a message's bytes: the one place that knows the order of the steps.

Arguments → serializer → body → codecs → envelope, and back. A reader first opens the envelope,
which costs little and tells the job's name, and the body when the job is about to run.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import Raw

from packhorse.errors import InvalidPayload, PackhorseError
from packhorse.wire.codec import Codec
from packhorse.wire.envelope import VERSION, Body, Death, End, Envelope, Progress
from packhorse.wire.flow import Cause, Plan, Portion

T = TypeVar("T", Body, Death, End, Progress, Portion, Plan, Cause)

_encode = msgspec.json.Encoder().encode
_read_envelope = msgspec.json.Decoder(Envelope).decode
_read_text = msgspec.json.Decoder(str).decode
_read_bytes = msgspec.json.Decoder(bytes).decode
_read = {
    kind: msgspec.json.Decoder(kind).decode
    for kind in (Body, Death, End, Progress, Portion, Plan, Cause)
}


def seal(
    body: Body | Death | End | Progress | Portion | Plan | Cause,
    codecs: Sequence[Codec],
    *,
    id: UUID,
    job: str,
    at: float,
    failed: int = 0,
    lost: int = 0,
    unknown: int = 0,
) -> bytes:
    """The bytes of a message, of a dead one's record, or of what a store keeps: results, chains, batches.

    Raises `InvalidPayload` for text that is no Unicode (a lone surrogate), and what a codec raises.
    """
    try:
        data = _encode(body)
        enc: tuple[str, ...] = ()
        if codecs:
            bound = _bound(VERSION, id, job)
            for codec in codecs:
                data = codec.encode(data, bound)
            data = _encode(data)  # as base64
            enc = tuple(codec.name for codec in codecs)
        return _encode(Envelope(VERSION, id, job, at, Raw(data), failed, lost, unknown, enc))
    except UnicodeEncodeError as error:
        raise InvalidPayload(f"job {job!r}: the message cannot be written: {error}") from error


def recount(envelope: Envelope, *, failed: int, lost: int, unknown: int) -> bytes:
    """The same message with other counters; its body is not opened."""
    return _encode(msgspec.structs.replace(envelope, failed=failed, lost=lost, unknown=unknown))


def open_envelope(data: bytes) -> Envelope:
    """What is in clear; raises `InvalidPayload` for anything but an envelope of this version."""
    try:
        envelope = _read_envelope(data)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(f"the message is no envelope: {error}") from error
    if envelope.v != VERSION:
        raise InvalidPayload(
            f"the message's envelope is of version {envelope.v}; this packhorse reads version {VERSION}"
        )
    return envelope


def is_sealed(envelope: Envelope, codecs: Mapping[str, Codec]) -> bool:
    """Whether what is inside is not to be shown: a codec seals it, or one that is not known here may."""
    return any(name not in codecs or codecs[name].seals for name in envelope.enc)


def open_body(envelope: Envelope, codecs: Mapping[str, Codec], type: type[T]) -> T:
    """What is inside, by the codecs that this process knows.

    Raises `InvalidPayload` for what cannot be read, and what a codec raises.
    """
    try:
        data = _peeled(envelope, codecs, 0) if envelope.enc else bytes(envelope.body)
        return _read[type](data)  # type: ignore[return-value]
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(f"job {envelope.job}: the body cannot be read: {error}") from error


def layer(envelope: Envelope, codecs: Mapping[str, Codec], name: str) -> bytes:
    """What the codec `name` of its `enc` made of a body.

    Raises `InvalidPayload` for what cannot be read, and what a codec outside that one raises.
    """
    try:
        return _peeled(envelope, codecs, envelope.enc.index(name) + 1)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(f"job {envelope.job}: the body cannot be read: {error}") from error


def sealed_anew(envelope: Envelope, codecs: Mapping[str, Codec], name: str) -> bytes:
    """The same message, gone through the codec `name` of its `enc` and those outside it once more.

    Raises `InvalidPayload` for what cannot be read, and what a codec raises.
    """
    start = envelope.enc.index(name)
    try:
        data = _peeled(envelope, codecs, start)
    except (ValueError, RecursionError) as error:
        raise InvalidPayload(f"job {envelope.job}: the body cannot be read: {error}") from error
    bound = _bound(envelope.v, envelope.id, envelope.job)
    for each in envelope.enc[start:]:
        data = _codec(codecs, each, envelope.job).encode(data, bound)
    return _encode(msgspec.structs.replace(envelope, body=Raw(_encode(data))))


def _peeled(envelope: Envelope, codecs: Mapping[str, Codec], left: int) -> bytes:
    """A body as it was when it had gone through `left` of its codecs."""
    data = base64.b64decode(_read_text(envelope.body), validate=True)
    bound = _bound(envelope.v, envelope.id, envelope.job)
    for name in reversed(envelope.enc[left:]):
        data = _decode(_codec(codecs, name, envelope.job), data, bound, envelope.job)
    return data


def embed(arguments: bytes, serializer: str) -> Raw:
    """A serializer's bytes as they stand in a body."""
    return Raw(arguments if serializer == "json" else _encode(arguments))


def arguments(body: Body) -> bytes:
    """The serializer's bytes out of a body; raises `InvalidPayload` if they are not base64."""
    return embedded(body.args, body.ser, "arguments")


def embedded(raw: Raw, serializer: str, what: str) -> bytes:
    """A serializer's bytes, as `embed` was given them; raises `InvalidPayload` if they are no base64."""
    if serializer == "json":
        return bytes(raw)
    try:
        return _read_bytes(raw)
    except ValueError as error:
        raise InvalidPayload(f"the {what} are no base64: {error}") from error


def _codec(codecs: Mapping[str, Codec], name: str, job: str) -> Codec:
    if name not in codecs:
        raise InvalidPayload(
            f"job {job}: the message needs the codec {name!r}, which is not configured here"
        )
    return codecs[name]


def _decode(codec: Codec, data: bytes, bound: bytes, job: str) -> bytes:
    try:
        return codec.decode(data, bound)
    except PackhorseError:
        raise
    except Exception as error:  # its text may hold what the codec hides
        raise InvalidPayload(
            f"job {job}: the codec {codec.name!r} cannot read the body: it raised {type(error).__name__}"
        ) from None


def _bound(version: int, id: UUID, job: str) -> bytes:
    """What a codec binds to a body, so that it cannot be moved to another message."""
    return _encode((version, id, job))

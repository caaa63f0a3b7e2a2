"""Writing and reading a message's bytes: the one place that knows the order of the steps.

Arguments → serializer → body → codecs → envelope, and back. A reader first opens the envelope,
which costs little and tells the job's name, and the body when the job is about to run.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import Raw

from packhorse.errors import InvalidPayload, PackhorseError
from packhorse.wire.codec import Codec
from packhorse.wire.envelope import VERSION, Body, Envelope

_encode = msgspec.json.Encoder().encode
_read_envelope = msgspec.json.Decoder(Envelope).decode
_read_body = msgspec.json.Decoder(Body).decode
_read_text = msgspec.json.Decoder(str).decode


def seal(
    body: Body,
    codecs: Sequence[Codec],
    *,
    id: UUID,
    job: str,
    at: float,
    failed: int = 0,
    lost: int = 0,
    unknown: int = 0,
) -> bytes:
    """The bytes of a message; raises what a codec raises."""
    data = _encode(body)
    enc: tuple[str, ...] = ()
    if codecs:
        bound = _bound(VERSION, id, job)
        for codec in codecs:
            data = codec.encode(data, bound)
        data = _encode(base64.b64encode(data).decode())
        enc = tuple(codec.name for codec in codecs)
    return _encode(Envelope(VERSION, id, job, at, Raw(data), failed, lost, unknown, enc))


def recount(envelope: Envelope, *, failed: int, lost: int, unknown: int) -> bytes:
    """The same message with other counters; its body is not opened."""
    return _encode(
        msgspec.structs.replace(envelope, failed=failed, lost=lost, unknown=unknown)
    )


def open_envelope(data: bytes) -> Envelope:
    """What is in clear; raises `InvalidPayload` for anything but an envelope of this version."""
    try:
        envelope = _read_envelope(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidPayload(f"the message is no envelope: {error}") from error
    if envelope.v != VERSION:
        raise InvalidPayload(
            f"the message's envelope is of version {envelope.v}; this packhorse reads version {VERSION}"
        )
    return envelope


def open_body(envelope: Envelope, codecs: Mapping[str, Codec]) -> Body:
    """What is inside; raises `InvalidPayload`, `DecryptionError` or what a codec raises.

    `codecs` are those that this process knows, by name.
    """
    try:
        if not envelope.enc:
            return _read_body(envelope.body)
        data = base64.b64decode(_read_text(envelope.body), validate=True)
        bound = _bound(envelope.v, envelope.id, envelope.job)
        for name in reversed(envelope.enc):
            codec = codecs.get(name)
            if codec is None:
                raise InvalidPayload(
                    f"the message of job {envelope.job!r} needs the codec {name!r}, which is not configured here"
                )
            data = codec.decode(data, bound)
        return _read_body(data)
    except PackhorseError:
        raise
    except (msgspec.DecodeError, RecursionError, binascii.Error) as error:
        raise InvalidPayload(
            f"the body of the message of job {envelope.job!r} cannot be read: {error}"
        ) from error


def _bound(version: int, id: UUID, job: str) -> bytes:
    """What a codec binds to a body, so that it cannot be moved to another message."""
    return _encode((version, id, job))

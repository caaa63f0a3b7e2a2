"""Unique keys and groups of a message: what they are made of, and what of them leaves this process."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from packhorse.driver.message import Unique
from packhorse.errors import InvalidPayload, PluginError
from packhorse.wire.types import encode_custom

if TYPE_CHECKING:
    from packhorse.pending import Pending
    from packhorse.wire.codec import Codec
    from packhorse.wire.serializer import Serializer

LONGEST = 200
"""Bytes of a key that is sent as it is; of a longer one it is the digest. Any broker takes this."""

_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=encode_custom).encode


def unique_of(
    unique: bool | Unique | UnsetType,
    pending: "Pending[Any]",
    args: bytes,
    serializer: "Serializer",
) -> Unique | None:
    """What a job says of its uniqueness, with its key: its name, and what tells it from others.

    That is the key that was said, else the answer of `unique_id`, else the arguments: as JSON with
    sorted keys, after they were read back, so that neither serializer nor order makes a difference.
    """
    if unique is UNSET or unique is False:
        return None
    definition, wanted = pending.definition, Unique() if unique is True else unique
    own = wanted.key
    if not own:
        method = definition.methods.get("unique_id")
        if method is not None:
            own = str(method(pending.arguments))
        else:
            own = _canonical(definition.decode(args, serializer)).decode()
    return msgspec.structs.replace(wanted, key=key_of(definition.name, own))


def key_of(job: str, own: str) -> str:
    """A key of a job's own; raises `InvalidPayload` for text that is no Unicode."""
    key = f"{job}:{own}"
    try:
        data = key.encode()
    except UnicodeEncodeError as error:
        raise InvalidPayload(f"job {job}: its unique key cannot be written: {error}") from error
    if len(data) <= LONGEST:
        return key
    from hashlib import blake2b

    digest = blake2b(data, digest_size=24).hexdigest()
    return f"{data[: LONGEST - 49].decode(errors='ignore')}:{digest}"


def hidden_unique(unique: Unique | None, codecs: "Sequence[Codec]") -> Unique | None:
    """A `Unique` as the broker may see it; see `hidden`."""
    if unique is None or not codecs:
        return unique
    return msgspec.structs.replace(unique, key=hidden(unique.key, codecs))


def hidden(key: str, codecs: "Sequence[Codec]") -> str:
    """A key or a group as the broker may see it: hashed where a codec seals the message.

    Raises `PluginError` for a codec that seals and does not hash.
    """
    for codec in codecs:
        if codec.seals:
            hashed = codec.hash_key(key)
            if hashed == key:
                raise PluginError(
                    f"codec {codec.name!r} seals messages and leaves unique keys and groups as they "
                    "are; it has to override hash_key, or the job to go without unique and group"
                )
            key = hashed
    return key

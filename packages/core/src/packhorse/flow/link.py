"""A job that is sent later, by a worker: written down as a `Link`, and made a message when its time comes."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw

from packhorse.dispatch import keeps_result, options_of, prepared, said, travelling
from packhorse.driver.message import Message
from packhorse.errors import InvalidPayload, PayloadTooLarge
from packhorse.keys import hidden, hidden_unique, unique_of
from packhorse.sending import vetoed
from packhorse.wire.envelope import Body
from packhorse.wire.flow import Cause, Chain, Link, Membership, Portion
from packhorse.wire.seal import embed, open_body, open_envelope, seal

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.pending import Pending
    from packhorse.wire.codec import Codec

KNOWN = 86_400.0
"""Seconds for which the id of what a worker sends stays known, so that a repeat is absorbed."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Link).decode


def links_for(
    jobs: "Iterable[Pending[Any]]",
    app: "Packhorse",
    connection: "Connection | None" = None,
    queue: str | None = None,
) -> list[Link]:
    """Jobs as they are written down, but for those that do not want to be pushed.

    `connection` and `queue` hold where a job names none. Raises `InvalidPayload` for arguments that
    do not fit.
    """
    links = []
    for job in jobs:
        one = prepared(job)
        if one is None:
            vetoed(app, job, app.connection_of(job, connection, queue), queue)
        else:
            links.append(_link(one, app, connection, queue))
    return links


def _link(
    pending: "Pending[Any]", app: "Packhorse", connection: "Connection | None", queue: str | None
) -> Link:
    options = options_of(pending)
    named = said(pending, "connection") is not UNSET
    wanted = queue if options.queue is UNSET and queue is not None else options.queue
    on = app.connection_of(pending, None if named else connection, wanted or None)
    definition, serializer = pending.definition, on.serializer()
    keeps_result(pending, on)
    args = definition.encode(pending.arguments, serializer)
    until, until_at = _moment(options.retry_until)
    expires, expires_at = _moment(options.expires)
    codecs = on.codecs(None if options.codecs is UNSET else options.codecs)
    return Link(
        definition.name,
        on.name,
        on.queue_of(definition, wanted),
        embed(args, serializer.name),
        serializer.name,
        travelling(pending.overrides),
        tuple(codec.name for codec in codecs),
        None if options.delay is UNSET else options.delay or None,
        until,
        until_at,
        expires,
        expires_at,
        () if options.tags is UNSET else options.tags,
        on.outgoing(),
        unique=unique_of(options.unique, pending, args, serializer),
        group=None if options.group is UNSET else options.group,
    )


def message_of(
    link: Link,
    app: "Packhorse",
    id: UUID,
    *,
    chain: Chain | None = None,
    batch: Membership | None = None,
    cause: Cause | None = None,
    once: float = KNOWN,
) -> "tuple[Connection, Message]":
    """The message of a link, and the connection that it goes to.

    The id follows from that of its parent, so sending it again changes nothing. Raises
    `PayloadTooLarge`, `ConfigError` for a connection that this process does not have, and
    `PluginError` for a codec.
    """
    connection, now = app.connection(link.connection), time.time()
    codecs = connection.codecs(link.codecs)
    unique = hidden_unique(link.unique, codecs)
    body = Body(
        args=link.args,
        ser=link.ser,
        overrides=link.overrides,
        until=link.until_at if link.until is None else now + link.until,
        expires=link.expires_at if link.expires is None else now + link.expires,
        tags=link.tags,
        context=link.context,
        chain=chain,
        batch=batch,
        cause=cause,
        unique=connection.claim(unique),
    )
    data = seal(body, codecs, id=id, job=link.job, at=now)
    limit = connection.driver.capabilities.max_body
    if limit is not None and len(data) > limit:
        raise PayloadTooLarge(
            f"job {link.job}: the message has {len(data)} bytes; connection "
            f"{connection.name!r} takes {limit}. Send references instead of data, or a shorter chain"
        )
    return connection, Message(
        id,
        connection.forwarded(link.queue),
        data,
        link.delay or 0.0,
        unique=unique,
        group=None if link.group is None else hidden(link.group, codecs),
        once=once,
    )


def raw(links: Sequence[Link]) -> tuple[Raw, ...]:
    """Links as they stand in a body, where nobody reads them before their turn."""
    return tuple(Raw(encode(link)) for link in links)


def _moment(value: object) -> tuple[float | None, float | None]:
    """What an option says: seconds from the sending, or a moment in seconds since 1970."""
    if value is UNSET:
        return None, None
    if isinstance(value, datetime):
        return None, value.timestamp()
    if isinstance(value, timedelta):
        return value.total_seconds(), None
    return float(value), None  # type: ignore[arg-type]


def read_portion(value: object, codecs: "Mapping[str, Codec]") -> tuple[Raw, ...]:
    """The links of a portion out of a store; raises `InvalidPayload` if it is not there, or broken."""
    if not isinstance(value, bytes):
        raise InvalidPayload("the rest of its chain is no longer in the store")
    return open_body(open_envelope(value), codecs, Portion).links

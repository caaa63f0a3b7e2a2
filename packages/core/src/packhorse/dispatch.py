"""From a pending job to a message on a connection: who decides where it goes and what travels."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw

from packhorse.driver.message import Message, Unique
from packhorse.errors import InvalidPayload, JobDefinitionError, PayloadTooLarge
from packhorse.ids import new_id
from packhorse.keys import hidden, hidden_unique, key_of, unique_of
from packhorse.options import NOTHING, RUN, OptionSet, check, moment
from packhorse.payload import has_nan
from packhorse.pending import Pending
from packhorse.registry import find
from packhorse.wire.envelope import Body, Claim
from packhorse.wire.seal import embed, seal
from packhorse.wire.serializer import JSON

if TYPE_CHECKING:
    from packhorse.connection import Connection

_encode = msgspec.json.Encoder().encode


def said(pending: Pending[Any], name: str) -> Any:
    """What is said of an option: by `using`, a method of the job or its keyword; UNSET if nothing."""
    over = getattr(pending.overrides, name)
    return pending.definition.option(name, pending.arguments) if over is UNSET else over


def keeps_result(pending: Pending[Any], connection: "Connection") -> bool:
    """Whether the job's end is kept; raises `StoreRequired` if there is no store for that."""
    if not said(pending, "keep_result"):
        return False
    connection.require_store()
    return True


def prepared(pending: Pending[Any]) -> Pending[Any] | None:
    """A job as its `prepare_for_dispatch` wants it pushed; None: not at all.

    Raises what that raises, and `JobDefinitionError` for an answer that is none.
    """
    prepare = pending.definition.prepare
    if prepare is None:
        return pending
    answer = prepare(pending.arguments, pending)
    if answer is False:
        return None
    if answer is None or answer is True:
        return pending
    if isinstance(answer, Pending) and answer.definition is pending.definition:
        return answer
    raise JobDefinitionError(
        f"job {pending.definition.name}: prepare_for_dispatch gave {answer!r}; it gives "
        "pending.using(…) to change options, True or nothing to push, False not to push"
    )


def message_for(
    pending: Pending[Any],
    connection: "Connection",
    *,
    queue: str | None = None,
    validate: bool = True,
) -> Message:
    """The message of a pending job on a connection; `queue` wins over what the job says.

    Raises `InvalidPayload` for arguments that do not fit, `PayloadTooLarge` for too many of them.
    """
    # First of all: what plugins bring, types among it, is there once the driver is.
    limit = connection.driver.capabilities.max_body
    definition, now = pending.definition, time.time()
    options = options_of(pending)
    chosen = connection.codecs(None if options.codecs is UNSET else options.codecs)
    serializer = connection.serializer()
    args = definition.encode(pending.arguments, serializer, validate)
    over = travelling(pending.overrides)
    unique = hidden_unique(unique_of(options.unique, pending, args, serializer), chosen)
    claim = connection.claim(unique)
    body = _body(options, over, args, serializer.name, connection.outgoing(), claim, now)
    id = new_id()
    data = seal(body, chosen, id=id, job=definition.name, at=now)
    if limit is not None and len(data) > limit:
        raise PayloadTooLarge(
            f"job {definition.name}: the message has {len(data)} bytes; connection "
            f"{connection.name!r} takes {limit}. Send a reference instead of the data"
        )
    delay, group = options.delay, options.group
    return Message(
        id,
        connection.queue_of(definition, options.queue if queue is None else queue),
        data,
        delay=0.0 if delay is UNSET else delay,
        unique=unique,
        group=None if group is UNSET else hidden(group, chosen),
    )


def raw_message(
    name: str,
    payload: Mapping[str, object] | bytes | str,
    connection: "Connection",
    queue: str,
    delay: float,
    unique: Unique | None = None,
) -> Message:
    """A message for a job that this process need not know: only the JSON is checked."""
    check("push_raw", {"name": name, "delay": delay})
    known = find(name)
    said = UNSET if known is None else known.options.codecs
    codecs = connection.codecs(None if said is UNSET else said)
    if unique is not None:
        check("push_raw", {"unique": unique})
        if not unique.key:
            raise JobDefinitionError(
                f"push_raw of job {name}: unique needs a key here, Unique('…'), since what the job "
                "itself makes of its arguments may not be known"
            )
        unique = msgspec.structs.replace(unique, key=key_of(name, unique.key))
        unique = hidden_unique(unique, codecs)
    if isinstance(payload, Mapping) and has_nan(payload):
        raise InvalidPayload(
            f"job {name}: the payload holds a NaN or an infinity, which JSON cannot"
        )
    try:
        data = payload.encode() if isinstance(payload, str) else payload
        data = data if isinstance(data, bytes) else JSON.encode(data)
        msgspec.json.decode(data, type=dict[str, Raw])
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayload(f"job {name}: the payload is no JSON object: {error}") from error
    id = new_id()
    body = Body(args=Raw(data), context=connection.outgoing(), unique=connection.claim(unique))
    sealed = seal(body, codecs, id=id, job=name, at=time.time())
    return Message(id, connection.forwarded(queue), sealed, delay=delay, unique=unique)


def options_of(pending: Pending[Any]) -> OptionSet:
    """Every option that a message is made by, as it is said of this one."""
    if pending.overrides is NOTHING and not pending.definition.methods:
        return pending.definition.options
    return OptionSet(**{name: said(pending, name) for name in _READ})


_READ = ("codecs", "queue", "delay", "unique", "group", "retry_until", "expires", "tags")


def _body(
    options: OptionSet,
    overrides: dict[str, Raw],
    args: bytes,
    serializer: str,
    context: Mapping[str, Raw],
    claim: Claim | None,
    now: float,
) -> Body:
    until, expires = options.retry_until, options.expires
    return Body(
        args=embed(args, serializer),
        ser=serializer,
        overrides=overrides,
        until=None if until is UNSET else moment(until, now),
        expires=None if expires is UNSET else moment(expires, now),
        tags=() if options.tags is UNSET else options.tags,
        context=context,
        unique=claim,
    )


def travelling(overrides: OptionSet) -> dict[str, Raw]:
    """The overrides of one message that are read when it runs."""
    if overrides is NOTHING:
        return {}
    return {
        name: Raw(_encode(value))
        for name in RUN
        if (value := getattr(overrides, name)) is not UNSET
    }

"""Jobs on their way out: prepared, grouped by connection, sent with events and plugins round it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from msgspec import Struct

from packhorse import events
from packhorse.dispatch import keeps_result, message_for, prepared, said
from packhorse.driver.message import Message, Sent
from packhorse.errors import InvalidPayload, PackhorseError
from packhorse.handle import JobHandle
from packhorse.ids import new_id
from packhorse.job import pending
from packhorse.middleware.compose import Onion
from packhorse.wire.seal import open_envelope

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.events.bus import Bus
    from packhorse.pending import Dispatchable, Pending

R = TypeVar("R")


class Push(Struct, frozen=True):
    """One message that is about to be pushed, as a plugin's dispatching function sees it."""

    id: UUID
    job: str
    queue: str
    connection: str
    delay: float


def push(
    app: "Packhorse",
    job: "Dispatchable[R]",
    connection: "Connection | None" = None,
    queue: str | None = None,
) -> JobHandle[R]:
    """See `Packhorse.push`."""
    wanted = pending(job)
    one = prepared(wanted)
    on = app.connection_of(one or wanted, connection, queue)
    if one is None:
        return vetoed(app, wanted, on, queue)
    keep = keeps_result(one, on)
    message = message_for(one, on, queue=queue)
    handle = send(app, on, [message], [one.definition.name])[0]
    _know(handle, message, keep)
    return handle


def push_many(
    app: "Packhorse",
    jobs: "Iterable[Dispatchable[R]]",
    connection: "Connection | None" = None,
    queue: str | None = None,
    *,
    validate: bool = True,
) -> list[JobHandle[R]]:
    """See `Packhorse.push_many`. Nothing is sent before all are ready to be."""
    groups: dict[str, tuple[Connection, list[int], list[Message], list[str], list[bool]]] = {}
    handles: dict[int, JobHandle[R]] = {}
    for place, job in enumerate(jobs):
        wanted = pending(job)
        one = prepared(wanted)
        on = app.connection_of(one or wanted, connection, queue)
        if one is None:
            handles[place] = vetoed(app, wanted, on, queue)
            continue
        _, places, messages, names, keep = groups.setdefault(on.name, (on, [], [], [], []))
        keep.append(keeps_result(one, on))
        messages.append(message_for(one, on, queue=queue, validate=validate))
        places.append(place)
        names.append(one.definition.name)
    for on, places, messages, names, keep in groups.values():
        sent = send(app, on, messages, names)
        for handle, message, kept in zip(sent, messages, keep, strict=True):
            _know(handle, message, kept)
        handles.update(zip(places, sent, strict=True))
    return [handles[place] for place in range(len(handles))]


def send(
    app: "Packhorse", connection: "Connection", messages: list[Message], names: list[str]
) -> list[JobHandle[Any]]:
    """Sends messages of the jobs of these names, and gives a handle for each."""
    _tell(app, events.JobQueueing, connection, messages, names)
    sent = _through_plugins(app, connection, messages, names)
    check_sent(messages, sent, names)
    _tell(app, events.JobQueued, connection, messages, names, sent)
    tell_keys(app.bus, connection.name, messages, sent)
    return [
        JobHandle(
            connection,
            answer.holder or answer.id,
            name,
            message.queue,
            skipped=answer.holder is not None,
        )
        for message, answer, name in zip(messages, sent, names, strict=True)
    ]


def _know(handle: JobHandle[Any], message: Message, keeps_result: bool) -> None:
    if handle.id == message.id:  # else it is that of the job which holds its unique key
        handle.keeps_result = keeps_result


def tell_keys(
    bus: "Bus", connection: str, messages: Sequence[Message], sent: Sequence[Sent]
) -> None:
    """Tells which messages were not sent because another has their key, and which lost theirs."""
    for message, answer in zip(messages, sent, strict=True):
        if answer.holder is None and answer.superseded is None:
            continue
        facts = {"queue": message.queue, "connection": connection}
        job = open_envelope(message.body).job
        if answer.holder is not None and bus.hears(events.UniqueJobSkipped):
            bus.emit(events.UniqueJobSkipped(id=answer.id, holder=answer.holder, job=job, **facts))
        if answer.superseded is not None and bus.hears(events.JobSuperseded):
            bus.emit(events.JobSuperseded(id=answer.superseded, by=answer.id, job=job, **facts))


def vetoed(
    app: "Packhorse", job: "Pending[Any]", connection: "Connection", queue: str | None
) -> JobHandle[Any]:
    """The handle of a job that is not pushed because it said no; tells the event."""
    name = job.definition.name
    to = connection.queue_of(job.definition, said(job, "queue") if queue is None else queue)
    handle: JobHandle[Any] = JobHandle(connection, new_id(), name, to, vetoed=True)
    if app.bus.hears(events.JobVetoed):
        app.bus.emit(events.JobVetoed(id=handle.id, job=name, queue=to, connection=connection.name))
    return handle


def _through_plugins(
    app: "Packhorse", connection: "Connection", messages: list[Message], names: list[str]
) -> list[Sent]:
    """Sends, with what plugins put round each push."""
    around = app.wiring.dispatching
    if not around:
        return connection.send(messages)
    told = [
        Push(message.id, name, message.queue, connection.name, message.delay)
        for message, name in zip(messages, names, strict=True)
    ]
    onion = Onion[Sequence[Push]]()
    sent, error = None, None
    try:
        if not onion.enter(around, told):
            raise PackhorseError(
                "a plugin's dispatching function returned before its yield; nothing was sent "
                "(to stop a push it should raise, and say why)"
            )
        sent = connection.send(messages)
    except BaseException as raised:
        error = raised
    error = onion.leave(sent, error)
    if error is not None or sent is None:
        raise error or PackhorseError("a plugin's dispatching function hid that the push failed")
    return sent


def check_sent(messages: Sequence[Message], sent: Sequence[Sent], names: Sequence[str]) -> None:
    """Raises `InvalidPayload` if the broker refused any, saying which and why."""
    refused = [
        (name, answer)
        for name, answer in zip(names, sent, strict=True)
        if answer.state == "refused"
    ]
    if refused:
        name, answer = refused[0]
        others = f" (and {len(refused) - 1} more of {len(messages)})" if len(refused) > 1 else ""
        raise InvalidPayload(
            f"job {name} {answer.id}: refused by the broker: {answer.error}{others}"
        )


def _tell(
    app: "Packhorse",
    event: type[events.JobQueueing] | type[events.JobQueued],
    connection: "Connection",
    messages: list[Message],
    names: list[str],
    sent: Sequence[Sent] = (),
) -> None:
    """Tells of each message, but for those that were not sent because another has their key."""
    if not app.bus.hears(event):
        return
    skipped = {answer.id for answer in sent if answer.holder is not None}
    for message, name in zip(messages, names, strict=True):
        if message.id in skipped:
            continue
        app.bus.emit(
            event(
                id=message.id,
                job=name,
                queue=message.queue,
                connection=connection.name,
                delay=message.delay,
            )
        )

"""Why a job does not run, in plain sentences: everything that stands in its way, as far as can be told."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from packhorse.cli.fate import Reason, failed
from packhorse.cli.output import counted, moment, span
from packhorse.driver.abilities import Lists
from packhorse.driver.message import Listed, State
from packhorse.errors import PackhorseError
from packhorse.flow.chains import cancel_key
from packhorse.pausing import paused
from packhorse.registry import find
from packhorse.result import last_progress
from packhorse.wire.envelope import Body, Envelope
from packhorse.wire.seal import is_sealed, open_body, open_envelope

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

LOOKED_AT = 1_000
"""Messages of a state that are looked through for the first of a group."""

_DROPPED = {"expired": "its time is over", "superseded": "a newer one took its place"}


class Case(Struct, frozen=True):
    """One message, opened as far as it can be here."""

    app: "Packhorse"
    connection: "Connection"
    listed: Listed
    now: float
    envelope: Envelope | None
    body: Body | None
    sealed: bool

    @property
    def id(self) -> UUID:
        return self.listed.message.id

    @property
    def queue(self) -> str:
        return self.listed.message.queue


def locate(app: "Packhorse", id: UUID) -> "tuple[Connection, Listed] | None":
    """A message and its connection, among those whose brokers can look one up."""
    for connection in app.all_connections():
        driver: object = connection.driver
        if isinstance(driver, Lists):
            listed = driver.get([id])[0]
            if listed is not None:
                return connection, listed
    return None


def explain(app: "Packhorse", connection: "Connection", listed: Listed) -> list[Reason]:
    """Why a message that is on a broker does not run; the weightiest comes first."""
    case = _open(app, connection, listed)
    if listed.state == "dead":
        return list(failed(app, case.id))
    if listed.state == "leased":
        return list(_leased(case))
    if listed.cancelled:
        text = "it was cancelled: the next worker takes it off its queue without running it"
        return [Reason("cancelled", text)]
    return [
        *_unreadable(case),
        *_barred(case),
        *_paused(case),
        *_cancelled_with_others(case),
        *_place(case),
        *_around(case),
    ]


def _open(app: "Packhorse", connection: "Connection", listed: Listed) -> Case:
    envelope, body, sealed = None, None, False
    try:
        envelope = open_envelope(listed.message.body)
        codecs = connection.known_codecs()
        sealed = is_sealed(envelope, codecs)
        body = open_body(envelope, codecs, Body)
    except PackhorseError:
        pass  # told as unreadable
    return Case(app, connection, listed, time.time(), envelope, body, sealed)


def _unreadable(case: Case) -> Iterator[Reason]:
    if case.envelope is None:
        text = "its message cannot be read: the worker that gets it puts it among the failed jobs"
        yield Reason("unreadable", text)
    elif case.body is None:
        codecs = ", ".join(case.envelope.enc) or "none"
        text = f"its body cannot be opened here; it went through these codecs: {codecs}"
        yield Reason("unreadable", text)


def _barred(case: Case) -> Iterator[Reason]:
    """What a worker of this very code would make of it."""
    envelope = case.envelope
    if envelope is None or case.body is None:
        return
    definition = find(envelope.job)
    if definition is None:
        seen = f"; so did workers, {counted(envelope.unknown, 'time')}" if envelope.unknown else ""
        limit = case.app.settings.unknown_job_limit
        text = (
            f"nobody knows its name here: no module that was imported has a job {envelope.job!r}{seen}. "
            f"A worker that does not know it puts it back, and after {limit} times it fails"
        )
        yield Reason("unknown_name", text)
        return
    from packhorse.worker.rehearsal import rehearse

    try:
        barred = rehearse(case.app, case.connection, case.listed, envelope, definition)
    except PackhorseError as error:
        yield Reason(
            "middleware", f"what its middleware wants to know cannot be asked here: {error}"
        )
        return
    if barred is None:
        return
    why = "" if case.sealed and barred.how == "failed" else f": {barred.why}"
    if barred.how == "put back":
        text = f"its middleware would not let it start now{why}"
        if case.listed.state == "delayed":  # it was put back, and comes when it may
            yield Reason("middleware", text)
        else:
            text = f"{text}; it would be put back for {span(barred.delay)}"
            yield Reason("middleware", text, case.now + barred.delay)
    elif barred.how == "failed":
        yield Reason("failing", f"it would fail without running{why}")
    elif barred.why in _DROPPED:
        text = f"{_DROPPED[barred.why]}: the next worker takes it off its queue without running it"
        yield Reason(barred.why, text)
    else:
        yield Reason("dropped", f"it would be dropped without running{why}")


def _paused(case: Case) -> Iterator[Reason]:
    off = paused(case.connection)
    if off is None or case.queue not in off:
        return
    left = off.left(case.queue)
    if left is None:
        which = case.queue if case.queue in off.queues else "--all"
        text = f"queue {case.queue!r} is paused, until: packhorse queue resume {which}"
        yield Reason("paused", text)
    else:
        until = case.now + left
        text = f"queue {case.queue!r} is paused until {moment(until)}, for another {span(left)}"
        yield Reason("paused", text, until)


def _cancelled_with_others(case: Case) -> Iterator[Reason]:
    body = case.body
    if body is None:
        return
    if body.chain is not None and body.chain.store:
        store = case.app.connection(body.chain.store).store
        if store.read([cancel_key(body.chain.id)])[0]:
            text = f"its chain {body.chain.id} was cancelled: a worker drops it without running it"
            yield Reason("chain_cancelled", text)
    if body.batch is not None:
        batch = case.app.batches.find(body.batch.id)
        if batch is not None and batch.cancelled and body.batch.member:
            text = f"its batch {batch.name or batch.id} was cancelled: a worker drops it without running it"
            yield Reason("batch_cancelled", text)


def _place(case: Case) -> Iterator[Reason]:
    """Where it stands in its queue."""
    listed, now = case.listed, case.now
    if listed.state == "delayed":
        due = f"{moment(listed.moment)}, in {span(max(0.0, listed.moment - now))}"
        yield Reason("delayed", f"{_delayed(case)} {due}", listed.moment)
    elif listed.state == "parked":
        yield Reason("group", _behind(case))
    else:
        ready = counted(case.connection.driver.counts(case.queue).ready, "job")
        text = (
            f"it has been due for {span(max(0.0, now - listed.moment))} and no worker has taken it yet; "
            f"{ready} of queue {case.queue!r} can start. Serve it: packhorse work --queues {case.queue}"
        )
        yield Reason("waiting", text)


def _delayed(case: Case) -> str:
    envelope, body = case.envelope, case.body
    if envelope is not None and envelope.unknown:
        return (
            f"a worker did not know its name, {counted(envelope.unknown, 'time')}; it waits until"
        )
    if envelope is None or not envelope.failed:
        return "it was delayed, or put back, until"
    told = ""
    if body is not None and body.failures and not case.sealed:
        last = body.failures[-1]
        told = f" with {last.type}: {last.message}" if last.message else f" with {last.type}"
    return f"it failed at attempt {envelope.failed}{told}; it is tried again at"


def _behind(case: Case) -> str:
    group = case.listed.message.group
    head = _head(case) if group is not None else None
    if head is None:
        return f"it waits behind the first of its group {group!r}"
    return (
        f"it waits behind another of its group {group!r}: {head.message.id}, which is {head.state}"
    )


def _head(case: Case) -> Listed | None:
    driver: object = case.connection.driver
    assert isinstance(driver, Lists)  # it was found by that
    states: tuple[State, ...] = ("leased", "waiting", "delayed")
    for state in states:
        for one in driver.list(case.queue, state, LOOKED_AT):
            if one.message.group == case.listed.message.group:
                return one
    return None


def _around(case: Case) -> Iterator[Reason]:
    """What belongs to it and may explain why there is only one of it."""
    unique = case.listed.message.unique
    if unique is not None:
        text = f"it holds the unique key {unique.key!r}: no other is pushed while it waits"
        yield Reason("unique", text)
    body = case.body
    if body is not None and body.expires is not None and body.expires > case.now:
        text = f"if it has not started by {moment(body.expires)}, it never will: then it expires"
        yield Reason("expires", text, body.expires)
    if body is not None and body.chain is not None and body.chain.place:
        text = (
            f"it is job {body.chain.place + 1} of chain {body.chain.id}; those before it are done"
        )
        yield Reason("chain", text)


def _leased(case: Case) -> Iterator[Reason]:
    listed, now = case.listed, case.now
    worker = listed.worker or "a worker"
    left = listed.moment - now
    if left < 0:
        text = (
            f"{worker} has it, but its lease ended {span(-left)} ago: whoever comes first takes it"
        )
        yield Reason("lease_ended", text)
        return
    heard = max(0.0, case.connection.settings.lease - left)
    text = (
        f"{worker} has it, and said so {span(heard)} ago; "
        f"if it does not say so again, the lease ends at {moment(listed.moment)}"
    )
    yield Reason("leased", text, listed.moment)
    if listed.cancelled:
        yield Reason("cancelled", "it was cancelled while it ran: its worker tells it")
    if listed.deliveries > 1:
        text = f"it was handed out {listed.deliveries} times since it was written: workers died with it"
        yield Reason("lost", text)
    yield from _progress(case)


def _progress(case: Case) -> Iterator[Reason]:
    try:
        said = last_progress(case.connection, case.id)
    except PackhorseError:
        return
    if said is not None:
        of = "" if said.total is None else f" of {said.total:g}"
        note = f" ({said.note})" if said.note and not case.sealed else ""
        ago = span(max(0.0, case.now - said.at))
        yield Reason("progress", f"it said {ago} ago that {said.done:g}{of} is done{note}")

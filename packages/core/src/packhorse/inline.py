"""Running a message here and now, in the caller's thread, through the same attempt path as a worker.

Retries follow at once, and nothing is kept of a failure but the exception that the caller gets.
"""

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec

from packhorse.current import choose, unchoose
from packhorse.driver.message import Delivery, Message
from packhorse.driver.outcome import Dead, Retry
from packhorse.errors import PackhorseError, UnknownJob, Unsupported
from packhorse.options import NOTHING
from packhorse.registry import find
from packhorse.wire.seal import open_envelope
from packhorse.worker.attempt import Bury, Ending
from packhorse.worker.closing import Settlement, close
from packhorse.worker.courier import Courier
from packhorse.worker.execution import Execution, Site
from packhorse.worker.gate import Gate, asks
from packhorse.worker.policy import Policies
from packhorse.worker.telling import tell_attempted, tell_running, tell_settled

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection


def run_inline(app: "Packhorse", connection: "Connection", message: Message) -> object:
    """The result of a message's handler; raises what its last attempt raised.

    An `async def` job runs on an event loop of its own; in a thread whose loop is running it raises
    `Unsupported`. What the job dispatches goes through `app`.
    """
    choose(app)
    try:
        return _attempts(app, connection, message)
    finally:
        unchoose()


def _attempts(app: "Packhorse", connection: "Connection", message: Message) -> object:
    site = Site(
        "inline",
        app,
        connection,
        Policies(NOTHING),
        connection.known_codecs(),
        app.wiring.middleware,
    )
    while True:
        execution = _execution(site, message)
        verdict = execution.prepare()
        if verdict is None:
            tell_running(execution)
            execution.started = time.monotonic()
            ending = _run(execution)
            execution.duration = time.monotonic() - execution.started
            if isinstance(ending.error, KeyboardInterrupt):
                raise ending.error  # whoever runs this here wants it to end
            verdict = execution.conclude(ending)
            tell_attempted(execution, ending)
        settlement = close(execution, verdict)
        tell_settled(site, settlement)
        _bring(app, connection, settlement)
        if isinstance(settlement.outcome, Retry):
            message = msgspec.structs.replace(message, body=settlement.outcome.body)
            continue
        if isinstance(settlement.outcome, Dead):
            assert isinstance(verdict, Bury)
            raise verdict.error or PackhorseError(f"job {execution.envelope.job}: {verdict.reason}")
        return execution.result


def _run(execution: Execution) -> Ending:
    if not execution.definition.is_async:
        return execution.run()
    import asyncio

    return asyncio.run(execution.run_async())


def _execution(site: Site, message: Message) -> Execution:
    envelope = open_envelope(message.body)
    definition = find(envelope.job)
    if definition is None:
        raise UnknownJob(f"no registered job is called {envelope.job!r}; import its module first")
    if definition.is_async:
        _refuse_loop(envelope.job)
    delivery = Delivery(message, uuid4().bytes, 1, time.time(), float("inf"))
    execution = Execution(site, delivery, envelope, definition)
    execution.open()
    if asks(execution):
        Gate(site.app).admit([execution])
    return execution


def _bring(app: "Packhorse", connection: "Connection", settlement: Settlement) -> None:
    """Sends and counts what follows, as a worker does."""
    brings = settlement.brings
    if brings is None:
        return
    courier = Courier(app, connection, "inline")
    courier.before({settlement.outcome.delivery.token: brings})
    if brings.follow:
        connection.driver.send(brings.follow)
    courier.after([brings])


def _refuse_loop(job: str) -> None:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise Unsupported(
        f"job {job}: an async job cannot run here through the attempt path, because this thread's "
        "event loop is running; await the job itself, or call dispatch_sync in another thread"
    )

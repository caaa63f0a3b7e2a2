"""Running messages in the process that dispatched them, through the same attempt path as a worker.

`run_inline` is for a caller who waits for the result, `InlineRunner` for drivers that run what they
are sent. No time-out strikes. What a job raises is never lost: it goes to the caller, to the failed jobs
where the connection names a store, or to the log.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
from msgspec import Struct

from packhorse.current import choose, unchoose
from packhorse.driver.message import Delivery, Message
from packhorse.driver.outcome import Dead, Retry
from packhorse.errors import InvalidPayload, PackhorseError, UnknownJob, Unsupported
from packhorse.graveyard import StoreGraveyard
from packhorse.options import NOTHING
from packhorse.registry import find
from packhorse.wire.seal import open_envelope
from packhorse.worker import closing
from packhorse.worker.asking import finish
from packhorse.worker.attempt import Bury, Ending
from packhorse.worker.closing import Settlement, close
from packhorse.worker.courier import Courier
from packhorse.worker.execution import Execution
from packhorse.worker.gate import Gate, asks
from packhorse.worker.masking import shown
from packhorse.worker.policy import Policies
from packhorse.worker.records import named
from packhorse.worker.site import Site
from packhorse.worker.telling import tell_attempted, tell_running, tell_settled

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

WORKER = "inline"
"""What contexts and events call the worker."""

_log = logging.getLogger("packhorse.inline")


class _Ended(Struct, frozen=True):
    """What one attempt came to: a result, the message for another, or an error for good."""

    settlement: Settlement
    result: object = None
    again: Message | None = None
    error: BaseException | None = None

    @property
    def kept_back(self) -> bool:
        """Whether a guard kept the handler from starting."""
        execution = self.settlement.execution
        return execution is not None and not execution.started


def run_inline(app: "Packhorse", connection: "Connection", message: Message) -> object:
    """The result of a message's handler; raises what its last attempt raised. Repeats come at once.

    An `async def` job runs on an event loop of its own; in a thread whose loop is running it raises
    `Unsupported`. What the job dispatches goes through `app`.
    """
    while (ended := _started(app, connection, message)).again is not None:
        message = ended.again
    try:
        if follow := _bring(app, connection, ended.settlement):
            connection.driver.send(follow)
    finally:
        if ended.error is not None:
            raise ended.error
    return ended.result


class InlineRunner:
    """What a driver that runs its messages itself runs them with; see `Runner` in the contract."""

    def __init__(self, app: "Packhorse", connection: "Connection") -> None:
        self._app = app
        self._connection = connection

    def run(self, message: Message, /, *, quiet: bool = False) -> Sequence[Message]:
        """One attempt, and what is to run next."""
        app, connection = self._app, self._connection
        ended = (_attempt if quiet else _started)(app, connection, message)
        if ended.again is not None:
            return [ended.again]
        kept = ended.error is None or _keep(connection, ended.settlement)
        if ended.error is None or (quiet and not _is_interrupt(ended.error)):
            if not kept:
                _tell(ended.settlement, ended.error)
            return _bring(app, connection, ended.settlement)
        try:
            if follow := _bring(app, connection, ended.settlement):
                connection.driver.send(follow)
        finally:
            raise ended.error

    def bury(self, message: Message, reason: str, /) -> Sequence[Message]:
        """Fails a message that will not run, and gives what follows that."""
        app, connection = self._app, self._connection
        site, delivery, verdict = _site(app, connection), _delivery(message), Bury(reason)
        choose(app)
        try:
            execution = _execution(site, delivery)
            execution.prepare()
            finish([execution])
            settlement = close(execution, verdict)
        except PackhorseError:
            settlement = _unrun(site, delivery, verdict)
        finally:
            unchoose()
        tell_settled(site, settlement)
        if not _keep(connection, settlement):
            _tell(settlement, _error(settlement))
        return _bring(app, connection, settlement)


def _started(app: "Packhorse", connection: "Connection", message: Message) -> _Ended:
    """An attempt for somebody who waits: whom a guard puts off comes again after its delay."""
    while (ended := _attempt(app, connection, message)).again is not None and ended.kept_back:
        message = ended.again
        time.sleep(message.delay)
    return ended


def _attempt(app: "Packhorse", connection: "Connection", message: Message) -> _Ended:
    choose(app)
    try:
        site = _site(app, connection)
        settlement, result = _settle(site, message)
        tell_settled(site, settlement)
    finally:
        unchoose()
    outcome = settlement.outcome
    again = None
    if isinstance(outcome, Retry):
        again = msgspec.structs.replace(message, body=outcome.body, delay=outcome.delay)
    return _Ended(settlement, result, again, _error(settlement))


def _settle(site: Site, message: Message) -> tuple[Settlement, object]:
    """Runs a message once, and closes it; with the handler's result."""
    delivery = _delivery(message)
    try:
        execution = _execution(site, delivery)
    except (InvalidPayload, UnknownJob) as error:
        return _unrun(site, delivery, Bury(str(error), error)), None
    verdict = execution.prepare()
    if verdict is None:
        tell_running(execution)
        execution.started = time.monotonic()
        ending = _run(execution)
        execution.duration = time.monotonic() - execution.started
        verdict = execution.conclude(ending)
        tell_attempted(execution, ending)
        if _is_interrupt(ending.error):
            verdict = Bury("interrupted", ending.error)
    finish([execution])
    return close(execution, verdict), execution.result


def _run(execution: Execution) -> Ending:
    passage = execution.passage
    variables = contextvars.copy_context() if passage is None else passage.variables
    if not execution.definition.is_async:
        return execution.run() if passage is None else variables.run(execution.run)
    import asyncio

    with asyncio.Runner() as runner:
        return runner.run(execution.run_async(), context=variables)


def _execution(site: Site, delivery: Delivery) -> Execution:
    envelope = open_envelope(delivery.message.body)
    definition = find(envelope.job)
    if definition is None:
        raise UnknownJob(f"no registered job is called {envelope.job!r}; import its module first")
    if definition.is_async:
        _refuse_loop(envelope.job)
    execution = Execution(site, delivery, envelope, definition, time.monotonic())
    execution.open()
    if asks(execution):
        Gate(site.app).admit([execution])
    return execution


def _unrun(site: Site, delivery: Delivery, verdict: Bury) -> Settlement:
    """The settlement of what cannot run here, or will not."""
    try:
        envelope = open_envelope(delivery.message.body)
    except InvalidPayload:
        envelope = None
    return closing.bury(delivery, envelope, verdict, site)


def _bring(app: "Packhorse", connection: "Connection", settlement: Settlement) -> Sequence[Message]:
    """Sends and counts what follows in other places, as a worker does; gives what follows here."""
    brings = settlement.brings
    if brings is None:
        return ()
    courier = Courier(app, connection, WORKER)
    instead = courier.before({settlement.outcome.delivery.token: brings})
    for one in instead.values():
        if isinstance(one, str):
            raise PackhorseError(f"job {settlement.job}: {one}")
        brings = one
    courier.count_first([brings])
    courier.after([brings])
    return brings.follow


def _keep(connection: "Connection", settlement: Settlement) -> bool:
    """Puts a job that failed for good among the failed jobs, if the settings name a store for them."""
    outcome = settlement.outcome
    if connection.settings.store is None or not isinstance(outcome, Dead):
        return False
    graves = StoreGraveyard(connection)
    try:
        graves.bury([(outcome.delivery, outcome.record)], WORKER)
    except PackhorseError:
        job = named(settlement.job, outcome.delivery.message)
        text = "job %s %s: the store did not take the failed job"
        _log.exception(text, job["job"], job["id"], extra=job)
        return False
    return True


def _tell(settlement: Settlement, error: BaseException | None) -> None:
    job = named(settlement.job, settlement.outcome.delivery.message)
    error = shown(settlement.execution, error)
    _log.error("job %s %s failed for good", job["job"], job["id"], exc_info=error, extra=job)


def _error(settlement: Settlement) -> BaseException | None:
    """What a job that failed for good raised."""
    verdict = settlement.verdict
    if not isinstance(verdict, Bury):
        return None
    return verdict.error or PackhorseError(f"job {settlement.job}: {verdict.reason}")


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether somebody pressed Ctrl-C, and wants all of it to end."""
    here = threading.current_thread()
    return isinstance(error, KeyboardInterrupt) and here is threading.main_thread()


def _site(app: "Packhorse", connection: "Connection") -> Site:
    return Site(
        WORKER,
        app,
        connection,
        Policies(NOTHING),
        connection.known_codecs(),
        app.wiring.middleware,
    )


def _delivery(message: Message) -> Delivery:
    return Delivery(message, uuid4().bytes, 1, time.time(), float("inf"))


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

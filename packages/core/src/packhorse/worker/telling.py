"""The events of an attempt: built only where somebody listens, told once it is so."""

from packhorse import events
from packhorse.context import Delete, JobContext, Release
from packhorse.driver.outcome import Return
from packhorse.events.types import AttemptEvent, SettledEvent
from packhorse.worker.attempt import Again, Bury, Ending, Finish
from packhorse.worker.closing import Settlement
from packhorse.worker.execution import Execution
from packhorse.worker.masking import reason, shown
from packhorse.worker.records import record_lost
from packhorse.worker.site import Site


def tell_running(execution: Execution) -> None:
    """The handler is about to run."""
    if execution.site.bus.hears(events.JobProcessing):
        _tell(execution, events.JobProcessing)


def tell_attempted(execution: Execution, ending: Ending) -> None:
    """The handler has ended."""
    bus = execution.site.bus
    if ending.timed_out and bus.hears(events.JobTimedOut):
        _tell(execution, events.JobTimedOut, timeout=execution.policy.timeout)
    if ending.error is not None and bus.hears(events.JobExceptionOccurred):
        _tell(execution, events.JobExceptionOccurred, error=shown(execution, ending.error))
    if bus.hears(events.JobAttempted):
        error = shown(execution, ending.error)
        _tell(execution, events.JobAttempted, duration=execution.duration, error=error)


def tell_lost(execution: Execution, repeated: bool) -> None:
    """The broker knows nothing of this reservation any more."""
    event = events.SettlementUnknown if repeated else events.LeaseLost
    if not repeated:
        record_lost(execution)
    if execution.site.bus.hears(event):
        _tell(execution, event)


def tell_settled(site: Site, settlement: Settlement) -> None:
    """The broker has carried out an outcome."""
    bus, verdict, execution = site.bus, settlement.verdict, settlement.execution
    if isinstance(settlement.outcome, Return):
        return
    if settlement.seen:
        if bus.hears(events.JobUnknown):
            bus.emit(_unknown(site, settlement))
    elif isinstance(verdict, Bury):
        if bus.hears(events.JobFailed):
            bus.emit(_failed(site, settlement, verdict))
    elif execution is None:
        return
    elif isinstance(verdict, Finish):
        if bus.hears(events.JobProcessed):
            _tell_end(execution, events.JobProcessed, result=verdict.result, why=_why(execution))
    elif isinstance(verdict, Again):
        if verdict.error is None:
            if bus.hears(events.JobReleased):
                why = _why(execution)
                _tell_end(execution, events.JobReleased, delay=verdict.delay, why=why)
        elif bus.hears(events.JobReleasedAfterException):
            _tell_end(
                execution,
                events.JobReleasedAfterException,
                delay=verdict.delay,
                error=shown(execution, verdict.error),
            )


def _tell(execution: Execution, event: type[AttemptEvent], **facts: object) -> None:
    delivery, site = execution.delivery, execution.site
    site.bus.emit(
        event(
            id=delivery.message.id,
            job=execution.envelope.job,
            queue=delivery.message.queue,
            connection=site.connection.name,
            attempt=execution.envelope.failed + 1,
            deliveries=delivery.deliveries,
            worker=site.worker,
            **facts,
        )
    )


def _tell_end(execution: Execution, event: type[SettledEvent], **facts: object) -> None:
    _tell(execution, event, duration=execution.duration, **facts)


def _why(execution: Execution) -> str:
    """What handler or middleware said of their wish."""
    context: JobContext | None = getattr(execution, "context", None)
    wish = None if context is None else context.wish
    return wish.why if isinstance(wish, Release | Delete) else ""


def _failed(site: Site, settlement: Settlement, verdict: Bury) -> events.JobFailed:
    delivery, execution = settlement.outcome.delivery, settlement.execution
    return events.JobFailed(
        id=delivery.message.id,
        job=settlement.job,
        queue=delivery.message.queue,
        connection=site.connection.name,
        attempt=1 if execution is None else execution.envelope.failed + 1,
        deliveries=delivery.deliveries,
        worker=site.worker,
        duration=0.0 if execution is None else execution.duration,
        reason=reason(execution, verdict),
        error=shown(execution, verdict.error),
    )


def _unknown(site: Site, settlement: Settlement) -> events.JobUnknown:
    outcome = settlement.outcome
    return events.JobUnknown(
        id=outcome.delivery.message.id,
        job=settlement.job,
        queue=outcome.delivery.message.queue,
        connection=site.connection.name,
        delay=getattr(outcome, "delay", 0.0),
        seen=settlement.seen,
        worker=site.worker,
    )

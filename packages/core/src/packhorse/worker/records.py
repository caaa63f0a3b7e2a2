"""What the log says of jobs: each record has the job's facts as attributes.

What becomes of attempts is logged where somebody configured logging to take it; elsewhere nobody waits
for that, and it costs a look at a level.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from packhorse.driver.message import Message
from packhorse.worker.attempt import Again, Bury, Finish
from packhorse.worker.masking import reason, shown

if TYPE_CHECKING:
    from packhorse.worker.closing import Settlement
    from packhorse.worker.execution import Execution

_log = logging.getLogger("packhorse.worker")


def complain(job: Mapping[str, object], text: str, error: BaseException | None = None) -> None:
    """Something went wrong with a job, of which these are the facts, that is no failure of its own."""
    _log.error("job %s %s: %s", job["job"], job["id"], text, exc_info=error, extra=job)


def named(job: str, message: Message) -> dict[str, object]:
    """What a record says of a job of which no more is known."""
    return {"id": str(message.id), "job": job, "queue": message.queue}


def facts(execution: "Execution") -> dict[str, object]:
    """What a record says of an attempt; `duration` in seconds, once it has ended."""
    known = named(execution.envelope.job, execution.delivery.message)
    known["attempt"] = execution.envelope.failed + 1
    if execution.duration:
        known["duration"] = execution.duration
    return known


def record_end(settlement: "Settlement") -> None:
    """What became of a delivery, once the broker has carried it out."""
    verdict = settlement.verdict
    if verdict is None and not settlement.seen:
        return  # it was only given back
    level = logging.INFO
    if isinstance(verdict, Bury):
        level = logging.ERROR
    elif settlement.seen or (isinstance(verdict, Again) and verdict.error is not None):
        level = logging.WARNING
    if _log.isEnabledFor(level) and _log.hasHandlers():
        _record(level, settlement)


def record_lost(execution: "Execution") -> None:
    """Its lease went to somebody else."""
    if _log.hasHandlers():
        job = facts(execution)
        text = "job %s %s: its lease is lost, and nothing of this attempt counts"
        _log.warning(text, job["job"], job["id"], extra=job)


def _record(level: int, settlement: "Settlement") -> None:
    execution, verdict = settlement.execution, settlement.verdict
    if execution is None:
        job = named(settlement.job, settlement.outcome.delivery.message)
    else:
        job = facts(execution)
    error = shown(execution, getattr(verdict, "error", None))
    text = _text(settlement)
    _log.log(level, "job %s %s: %s", job["job"], job["id"], text, exc_info=error, extra=job)


def _text(settlement: "Settlement") -> str:
    execution, verdict = settlement.execution, settlement.verdict
    again = f"again in {getattr(settlement.outcome, 'delay', 0.0):g} s"
    match verdict:
        case Finish(result=result):
            ran = execution is not None and execution.duration
            return f"{result} in {ran:.3f} s" if ran else result
        case Bury():
            return f"failed for good: {reason(execution, verdict)}"
        case Again(error=None):
            return f"put back, {again}"
        case Again(failed=failed):
            return f"failed at attempt {failed}, {again}"
    return f"no imported module has a job of this name, {again}"

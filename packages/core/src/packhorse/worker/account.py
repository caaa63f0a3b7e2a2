"""What a worker keeps in the store of a job that is over: its result, or how else it ended."""

import time
from typing import TYPE_CHECKING

import msgspec

from packhorse.errors import PackhorseError
from packhorse.result import newest, progress_key, result_key
from packhorse.store.contract import Group
from packhorse.wire.envelope import End, Progress
from packhorse.wire.seal import embed, seal
from packhorse.worker.attempt import Bury, Finish
from packhorse.worker.failure import LIMIT, failure, head
from packhorse.worker.records import complain, facts

if TYPE_CHECKING:
    from packhorse.worker.execution import Execution

PROGRESS_KEPT = 86_400.0
"""Seconds for which the store keeps what a job said last of its progress."""

NOTE = 1024
"""Bytes that a note may take."""


def account(execution: "Execution", verdict: Finish | Bury) -> tuple[tuple[str, Group], ...]:
    """What is written before the broker is told; nothing of a job whose result nobody asked for.

    Raises `InvalidPayload` for a result that cannot travel, and what a codec raises.
    """
    keep, context = execution.keep_result, getattr(execution, "context", None)
    reported = None if context is None else context.reported
    if not keep and reported is None:
        return ()
    groups = () if reported is None else _last_progress(execution, *reported)
    if keep:
        groups += _result(execution, verdict, keep)
    name = execution.site.connection.name
    return tuple((name, group) for group in groups)


def progress(execution: "Execution", number: int, said: Progress) -> tuple[Group, ...]:
    """What is written of how far a job has come, as it said for this many times."""
    brief = msgspec.structs.replace(said, note=head(said.note, NOTE))
    key = progress_key(execution.delivery.message.id)
    since = execution.delivery.reserved_at
    return newest(key, since, number, _sealed(execution, brief), PROGRESS_KEPT)


def _last_progress(execution: "Execution", number: int, said: Progress) -> tuple[Group, ...]:
    try:
        return progress(execution, number, said)
    except Exception as error:  # how far it came is no reason to fail it
        complain(facts(execution), "its progress could not be sealed", error)
        return ()


def _result(execution: "Execution", verdict: Finish | Bury, keep: float) -> tuple[Group, ...]:
    end = _failed(execution, verdict) if isinstance(verdict, Bury) else _ended(execution, verdict)
    try:
        data = _sealed(execution, end)
    except Exception as error:
        if not isinstance(verdict, Bury):
            raise
        complain(facts(execution), "how it failed could not be sealed", error)
        bare = msgspec.structs.replace(end, reason="sealed", failure=None)
        data = seal(bare, (), id=execution.envelope.id, job=execution.envelope.job, at=end.at)
    since = execution.delivery.reserved_at
    return newest(result_key(execution.delivery.message.id), since, 0, data, keep)


def _ended(execution: "Execution", verdict: Finish) -> End:
    now = time.time()
    if verdict.result not in ("done", "deleted"):
        return End(verdict.result, now)
    assert execution.body is not None  # or it would not have run
    serializer = execution.site.connection.serializer(execution.body.ser)
    data = execution.definition.result.encode(execution.result, serializer)
    return End(verdict.result, now, embed(data, serializer.name), serializer.name)


def _failed(execution: "Execution", verdict: Bury) -> End:
    now, last = time.time(), None
    if verdict.error is not None:
        attempt = execution.envelope.failed + 1
        last = failure(verdict.error, attempt, now, execution.site.worker)
    elif execution.body is not None and execution.body.failures:
        last = execution.body.failures[-1]
    return End("failed", now, reason=head(verdict.reason, LIMIT), failure=last)


def _sealed(execution: "Execution", end: End | Progress) -> bytes:
    envelope, known = execution.envelope, execution.site.codecs
    if not set(envelope.enc) <= known.keys():
        raise PackhorseError(f"not all of the codecs {', '.join(envelope.enc)} are configured here")
    codecs = [known[name] for name in envelope.enc]
    return seal(end, codecs, id=envelope.id, job=envelope.job, at=end.at)

"""What a worker keeps in the store of a job that is over: its result, or how else it ended."""

import logging
import time
from typing import TYPE_CHECKING

import msgspec

from packhorse.errors import PackhorseError
from packhorse.result import newest, result_key
from packhorse.store.contract import Group
from packhorse.wire.envelope import End
from packhorse.wire.seal import embed, seal
from packhorse.worker.attempt import Bury, Finish
from packhorse.worker.failure import LIMIT, failure, head

if TYPE_CHECKING:
    from packhorse.worker.execution import Execution

_log = logging.getLogger("packhorse.worker")


def account(execution: "Execution", verdict: Finish | Bury) -> tuple[tuple[str, Group], ...]:
    """What is written before the broker is told; nothing of a job whose result nobody asked for.

    Raises `InvalidPayload` for a result that cannot travel, and what a codec raises.
    """
    keep = execution.keep_result
    if not keep:
        return ()
    name = execution.site.connection.name
    end = _failed(execution, verdict) if isinstance(verdict, Bury) else _ended(execution, verdict)
    try:
        data = _sealed(execution, end)
    except Exception:
        if not isinstance(verdict, Bury):
            raise
        _log.exception("job %s %s: how it failed could not be sealed", *_named(execution))
        bare = msgspec.structs.replace(end, reason="sealed", failure=None)
        data = seal(bare, (), id=execution.envelope.id, job=execution.envelope.job, at=end.at)
    since = execution.delivery.reserved_at
    groups = newest(result_key(execution.delivery.message.id), since, 0, data, keep)
    return tuple((name, group) for group in groups)


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


def _sealed(execution: "Execution", end: End) -> bytes:
    envelope, known = execution.envelope, execution.site.codecs
    if not set(envelope.enc) <= known.keys():
        raise PackhorseError(f"not all of the codecs {', '.join(envelope.enc)} are configured here")
    codecs = [known[name] for name in envelope.enc]
    return seal(end, codecs, id=envelope.id, job=envelope.job, at=end.at)


def _named(execution: "Execution") -> tuple[str, object]:
    return execution.envelope.job, execution.delivery.message.id

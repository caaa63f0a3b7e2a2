"""From a verdict to the outcome that the broker is told."""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from packhorse.driver.contract import Capabilities
from packhorse.driver.message import Delivery
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.errors import MaxAttemptsExceeded, PackhorseError
from packhorse.wire.envelope import Death, Envelope, Failure
from packhorse.wire.seal import open_envelope, recount, seal
from packhorse.worker.account import account
from packhorse.worker.attempt import Again, Bury, Verdict
from packhorse.worker.execution import Execution
from packhorse.worker.failure import LIMIT, failure, head, keep, text_of
from packhorse.worker.following import Consequences, consequences, unrun, waiting_again
from packhorse.worker.masking import shown
from packhorse.worker.records import complain, facts, named
from packhorse.worker.site import Site

if TYPE_CHECKING:
    from packhorse.wire.codec import Codec

LONGEST = 1e9
"""Seconds for which a job may be put back: over thirty years, and a number that any broker can add."""


class Settlement(Struct, frozen=True):
    """What the broker is to be told of one delivery; the rest is for the events that follow.

    `seen` is there for a job whose name nobody here knows: how often that was so. `brings` is what
    comes with it in other places.
    """

    outcome: Outcome
    job: str = ""
    verdict: Verdict | None = None
    execution: Execution | None = None
    seen: int = 0
    brings: Consequences | None = None


def close(execution: Execution, verdict: Verdict) -> Settlement:
    """The settlement of an execution; calls the job's `failed` if this is its end."""
    delivery, envelope = execution.delivery, execution.envelope
    try:
        told = () if isinstance(verdict, Again) else account(execution, verdict)
    except Exception as error:
        return close(execution, Bury(f"its result cannot be kept: {text_of(error)}", error))
    try:
        brings = consequences(execution, verdict)
    except Exception as error:
        return _stuck(execution, verdict, error)
    follow = () if brings is None else brings.follow
    if told:
        brings = brings or Consequences()
        brings = msgspec.structs.replace(brings, before=(*told, *brings.before))
    outcome: Outcome
    if isinstance(verdict, Again):
        delay = _shortened(verdict.delay, execution.site.connection.driver.capabilities)
        try:
            outcome = Retry(delivery, delay, _again(execution, verdict))
        except Exception as error:  # a codec that cannot seal any more
            return close(execution, Bury(f"the retry could not be written: {type(error).__name__}"))
    elif isinstance(verdict, Bury):
        failures = () if execution.body is None else execution.body.failures
        # What was never opened can tell nothing of what is inside, and its record helps who reads it.
        codecs = () if execution.body is None else _codecs(envelope, execution.site)
        record = _record(delivery, envelope, failures, verdict, execution.site, codecs)
        outcome = Dead(delivery, record, follow)
        _call_failed(execution, verdict)
    else:
        outcome = Done(delivery, follow)
    return Settlement(outcome, envelope.job, verdict, execution, brings=brings)


def _stuck(execution: Execution, verdict: Verdict, error: Exception) -> Settlement:
    """What is to come next cannot be made: too large, or of a connection that nobody here knows."""
    complain(facts(execution), f"what follows it cannot be sent: {error}")
    if not isinstance(verdict, Bury):
        return close(execution, Bury(f"what follows cannot be sent: {error}", error))
    # Not even what the chain catches with: that is given up, what a batch counts is not.
    assert execution.body is not None
    assert execution.body.chain is not None
    bare = msgspec.structs.replace(execution.body.chain, catch=())
    execution.body = msgspec.structs.replace(execution.body, chain=bare)
    return close(execution, verdict)


def close_stopped(settlement: Settlement, reason: str) -> Settlement:
    """The settlement instead, of a job whose follow-ups the broker refuses."""
    execution, verdict, brings = settlement.execution, settlement.verdict, settlement.brings
    assert brings is not None  # or nothing would follow
    error = PackhorseError(reason)
    # Of one that failed, its `failed` was called, and what it counts is still counted.
    if execution is None or isinstance(verdict, Bury):
        job = named(settlement.job, settlement.outcome.delivery.message)
        complain(job, f"what follows it cannot be sent: {error}")
        return msgspec.structs.replace(settlement, brings=msgspec.structs.replace(brings, ahead=()))
    return close(execution, Bury(f"what follows cannot be sent: {reason}", error))


def close_buried(delivery: Delivery, site: Site) -> Settlement:
    """The settlement of a message that was written down as failed before, and came again all the same.

    Its worker may have died before it sent what follows and counted it.
    """
    envelope = None
    with suppress(PackhorseError):
        envelope = open_envelope(delivery.message.body)
    brings = unrun(site, delivery, envelope, Bury("it failed, and its worker died"))
    follow = () if brings is None else brings.follow
    return Settlement(
        Done(delivery, follow), "" if envelope is None else envelope.job, brings=brings
    )


def bury(delivery: Delivery, envelope: Envelope | None, verdict: Bury, site: Site) -> Settlement:
    """The settlement of a message that nobody here can open, or whose name nobody knows."""
    codecs = () if envelope is None else _codecs(envelope, site)
    data = _record(delivery, envelope, (), verdict, site, codecs)
    job = "" if envelope is None else envelope.job
    brings = unrun(site, delivery, envelope, verdict)
    follow = () if brings is None else brings.follow
    return Settlement(Dead(delivery, data, follow), job, verdict, brings=brings)


def wait_for_name(delivery: Delivery, envelope: Envelope, delay: float) -> Settlement:
    """The settlement of a message whose name nobody here knows, but somebody else may."""
    seen = envelope.unknown + 1
    body = recount(
        envelope,
        failed=envelope.failed,
        lost=envelope.lost + delivery.deliveries - 1,
        unknown=seen,
    )
    return Settlement(Retry(delivery, delay, body), envelope.job, seen=seen)


def give_back(execution: Execution) -> Settlement:
    """The settlement of what was never started."""
    brings = waiting_again(execution.claimed)
    return Settlement(
        Return(execution.delivery), execution.envelope.job, execution=execution, brings=brings
    )


def _shortened(delay: float, can: Capabilities) -> float:
    """A delay that the broker can do: late is lost, so what is too long for it comes sooner."""
    longest = can.max_lease_total if can.rewrite == "none" else can.max_delay
    return min(delay, LONGEST if longest is None else longest)


def _call_failed(execution: Execution, verdict: Bury) -> None:
    hook = execution.definition.on_failed
    if hook is None or not hasattr(execution, "arguments"):
        return
    try:
        hook(execution.fresh_arguments(), verdict.error or PackhorseError(verdict.reason))
    except BaseException as error:  # even an exit: it would end the runner
        complain(facts(execution), "its failed() raised", shown(execution, error))


def _again(execution: Execution, verdict: Again) -> bytes:
    envelope, site = execution.envelope, execution.site
    if verdict.error is None:
        return recount(envelope, failed=verdict.failed, lost=verdict.lost, unknown=envelope.unknown)
    new = failure(verdict.error, verdict.failed, time.time(), site.worker)
    limit = site.connection.driver.capabilities.max_body
    body = execution.body
    assert body is not None  # what was not opened did not run
    failures = keep(body.failures, new)
    while True:
        data = seal(
            msgspec.structs.replace(body, failures=failures),
            _codecs(envelope, site),
            id=envelope.id,
            job=envelope.job,
            at=envelope.at,
            failed=verdict.failed,
            lost=verdict.lost,
            unknown=envelope.unknown,
        )
        if limit is None or len(data) <= limit or not failures:
            return data
        failures = failures[1:]  # what is told of failures gives way to what is to be done


def _record(
    delivery: Delivery,
    envelope: Envelope | None,
    failures: tuple[Failure, ...],
    verdict: Bury,
    site: Site,
    codecs: "tuple[Codec, ...]",
) -> bytes:
    now = time.time()
    if verdict.error is not None and not isinstance(verdict.error, MaxAttemptsExceeded):
        attempt = 1 if envelope is None else envelope.failed + 1
        failures = keep(failures, failure(verdict.error, attempt, now, site.worker))
    queue = delivery.message.queue
    death = Death(
        head(verdict.reason, LIMIT), site.connection.name, queue, site.worker, now, failures
    )
    id = delivery.message.id
    if envelope is None:
        return seal(death, (), id=id, job="", at=now)
    try:
        return seal(death, codecs, id=id, job=envelope.job, at=envelope.at)
    except Exception as error:  # a codec that cannot seal: what went wrong must not leave in clear
        job = named(envelope.job, delivery.message)
        complain(job, "the record of its failure could not be sealed", error)
        death = Death(
            "failed; what went wrong could not be sealed",
            site.connection.name,
            queue,
            site.worker,
            now,
        )
        return seal(death, (), id=id, job=envelope.job, at=envelope.at)


def _codecs(envelope: Envelope, site: Site) -> "tuple[Codec, ...]":
    """The codecs that the message went through; a message whose codec is missing here was not opened,
    so what is written about it holds nothing of it and goes without."""
    known = site.codecs
    return tuple(known[name] for name in envelope.enc) if set(envelope.enc) <= known.keys() else ()

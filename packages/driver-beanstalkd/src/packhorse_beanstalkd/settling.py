"""Carrying out outcomes on the connection that reserved their jobs."""

from collections.abc import Sequence
from typing import NamedTuple

from packhorse.plugin import Capabilities, Dead, Done, Outcome, Retry, Return, Settled, limits
from packhorse_beanstalkd.lanes import Held
from packhorse_beanstalkd.sending import PRIORITY, put
from packhorse_beanstalkd.tubes import tube_of
from packhorse_beanstalkd.wire import Reply, Wire

MARGIN = 0.1
"""The share of a lease before its end from which the server is asked first whether it still holds."""


class Ending(NamedTuple):
    """An outcome with the job that it is about."""

    outcome: Outcome
    held: Held


def settle(
    wire: Wire, endings: Sequence[Ending], now: float, capabilities: Capabilities
) -> list[Settled]:
    """Settles jobs of one connection; one answer each.

    beanstalkd deletes a job that waits for whoever names it. So where a lease may have ended, and
    somebody else may have taken the job and given it back, it is renewed first.
    """
    lost = _lost(wire, [each.held for each in endings if _is_late(each, now)])
    there = [each for each in endings if each.held.token not in lost]
    answers: dict[bytes, Settled] = dict.fromkeys(lost, "gone")
    copies = _write_anew(wire, there, capabilities, answers)
    commands: list[tuple[Ending, bytes]] = [
        (each, _command(each, copies)) for each in there if each.held.token not in answers
    ]
    replies = wire.flight([command for _, command in commands])
    for (each, _), reply in zip(commands, replies, strict=True):
        answers[each.held.token] = _answer(wire, each, reply, copies)
    return [answers[each.held.token] for each in endings]


def _is_late(ending: Ending, now: float) -> bool:
    held = ending.held
    return isinstance(ending.outcome, Done | Retry) and now > held.deadline - MARGIN * held.ttr


def _lost(wire: Wire, late: Sequence[Held]) -> set[bytes]:
    replies = wire.flight([b"touch %d\r\n" % held.job for held in late])
    pairs = zip(late, replies, strict=True)
    return {held.token for held, reply in pairs if reply.word != b"TOUCHED"}


def _write_anew(
    wire: Wire,
    endings: Sequence[Ending],
    capabilities: Capabilities,
    answers: dict[bytes, Settled],
) -> dict[bytes, bytes | None]:
    """Puts what is retried with its new body; the numbers of the copies.

    None: the server takes no copy for now, and the job waits with its old body instead. One that it
    will not take at all is answered "failed".
    """
    commands: list[bytes] = []
    places: list[tuple[Held, int]] = []
    for outcome, held in endings:
        if not isinstance(outcome, Retry):
            continue
        message = outcome.delivery.message
        if len(outcome.body) > (capabilities.max_body or len(outcome.body)):
            answers[held.token] = "failed"
            continue
        commands += wire.use(tube_of(message.queue))
        places.append((held, len(commands)))
        commands.append(put(message, outcome.delay, held.ttr, outcome.body))
    replies = wire.flight(commands)
    copies: dict[bytes, bytes | None] = {}
    for held, place in places:
        reply = replies[place]
        if reply.word == b"INSERTED":
            copies[held.token] = reply.values[0]
        elif reply.word == b"JOB_TOO_BIG":
            answers[held.token] = "failed"
        else:
            copies[held.token] = None
            if reply.word == b"BURIED":
                wire.flight([b"delete %b\r\n" % reply.values[0]])
    return copies


def _command(ending: Ending, copies: dict[bytes, bytes | None]) -> bytes:
    outcome, held = ending
    if isinstance(outcome, Retry) and copies[held.token] is None:
        seconds = limits.round_up(outcome.delay, 1.0)
        return b"release %d %d %d\r\n" % (held.job, PRIORITY, seconds)
    if isinstance(outcome, Return):
        return b"release %d %d 0\r\n" % (held.job, PRIORITY)
    if isinstance(outcome, Dead):
        return b"bury %d %d\r\n" % (held.job, PRIORITY)
    return b"delete %d\r\n" % held.job


def _answer(wire: Wire, ending: Ending, reply: Reply, copies: dict[bytes, bytes | None]) -> Settled:
    outcome, held = ending
    if reply.word == b"BURIED" and not isinstance(outcome, Dead):  # out of memory for its line
        wire.flight([b"kick-job %d\r\n" % held.job])
    if reply.word != b"NOT_FOUND":
        return "applied"
    copy = copies.get(held.token)
    if copy is not None:  # it was somebody else's all the same
        wire.flight([b"delete %b\r\n" % copy])
    return "gone"

"""Taking what is due, tube by tube, and learning how often each job was lost before."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from packhorse.plugin import Message
from packhorse_beanstalkd.frame import stranger, unframed
from packhorse_beanstalkd.losses import STATS, History, given_up, history, question, unsure
from packhorse_beanstalkd.tubes import tube_of
from packhorse_beanstalkd.wire import Reply, Wire, numbers

RESERVE = b"reserve-with-timeout 0\r\n"
FEW = 16
"""Jobs that are asked for at first where nothing is known; as long as all come, twice as many then."""


class Taken(NamedTuple):
    """A job as it was reserved; `ttr`, its lease in seconds, is 0 where packhorse did not push it."""

    job: int
    message: Message
    ttr: int


class Catch(NamedTuple):
    """What was taken, in its order, with what is known of it; and which queues are paused."""

    taken: Sequence[Taken]
    histories: Mapping[int, History | None]
    paused: frozenset[str]


def take(wire: Wire, queues: Sequence[str], limit: int, expected: int) -> Catch:
    """Takes up to `limit` jobs, from queues in their order, without waiting.

    As many as are `expected` to be there are asked for at once.

    Of a job that is not among the histories this is the first delivery; one whose history is None
    is gone already.
    """
    rows: list[list[Taken]] = []
    lean: list[str] = []
    left = limit
    (before,) = wire.flight([STATS])
    for queue in queues:
        row = _row(wire, queue, left, max(FEW, expected))
        left -= len(row)
        if row:
            rows.append(row)
        if not left:
            break
        lean.append(queue)
    return _look_at(wire, rows, lean, before)


def _row(wire: Wire, queue: str, limit: int, size: int) -> list[Taken]:
    commands = wire.watch([tube_of(queue)])
    row: list[Taken] = []
    while True:
        some = min(size, limit - len(row))
        replies = wire.flight([*commands, *[RESERVE] * some])[len(commands) :]
        # The others are TIMED_OUT, or DEADLINE_SOON where a lease on this connection is about to end.
        came = [taken(queue, each) for each in replies if each.word == b"RESERVED"]
        row += came
        if len(came) < some or len(row) == limit:
            return row
        commands, size = [], 2 * size


def taken(queue: str, reply: Reply) -> Taken:
    """A reserved job, from the reply that brought it."""
    job = int(reply.values[0])
    message, ttr = unframed(queue, reply.body) or (stranger(queue, reply.body, job), 0)
    return Taken(job, message, ttr)


def _look_at(wire: Wire, rows: list[list[Taken]], lean: list[str], before: Reply) -> Catch:
    firsts = [row[0].job for row in rows]
    after, *replies = wire.flight(
        [STATS, *map(question, firsts), *(b"stats-tube %b\r\n" % tube_of(each) for each in lean)]
    )
    told = {job: history(reply) for job, reply in zip(firsts, replies, strict=False)}
    tubes = zip(lean, replies[len(firsts) :], strict=True)
    paused = frozenset(queue for queue, reply in tubes if numbers(reply.body).get(b"pause"))
    # A stranger's job may have a place of its own in the line, and its lease is not known.
    strange = any(each.ttr == 0 for row in rows for each in row)
    quiet = not strange and given_up(before) == given_up(after)
    more = unsure(([each.job for each in row] for row in rows), told, quiet)
    replies = wire.flight([question(job) for job in more])
    told |= {job: history(reply) for job, reply in zip(more, replies, strict=True)}
    return Catch([each for row in rows for each in row], told, paused)

"""How often a job was reserved and never reported on, from one question for a whole reservation.

beanstalkd counts reservations for each job and tells them only job by job. But a tube hands out the
lowest number first. So where the first job of a row was never reserved before, and had waited in line
since it was put, none with a higher number was: whoever had taken one of those would have been given
the first. That holds as long as nothing was taken and given up while the row was being reserved, which
the server's own counts tell: of leases that ran out, and of connections that ended.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from packhorse_beanstalkd.wire import Reply, numbers

STATS = b"stats\r\n"


class History(Struct, frozen=True):
    """What the server remembers of a job: deliveries since it was put, its lease, and `untouched`.

    An untouched job was never reserved before and was never out of line.
    """

    deliveries: int
    ttr: int
    untouched: bool


def question(job: int) -> bytes:
    """The command that asks for a job's history."""
    return b"stats-job %d\r\n" % job


def history(reply: Reply) -> History | None:
    """The answer to it; None if the job is gone."""
    if reply.word != b"OK":
        return None
    told = numbers(reply.body)
    reserves, kicks, buries = told[b"reserves"], told[b"kicks"], told[b"buries"]
    untouched = reserves == 1 and not (kicks or buries or told[b"delay"])
    # What was released or buried was reported on.
    return History(max(1, reserves - told[b"releases"] - buries), told[b"ttr"], untouched)


def given_up(reply: Reply) -> tuple[int, int]:
    """How many leases have run out so far, and how many connections have ended."""
    told = numbers(reply.body)
    return told[b"job-timeouts"], told[b"total-connections"] - told[b"current-connections"]


def unsure(
    rows: Iterable[Sequence[int]], firsts: Mapping[int, History | None], quiet: bool
) -> list[int]:
    """Which jobs of the rows, each reserved from one tube, are to be asked for beside the first.

    `quiet`: nothing was given up in the meantime.
    """
    asked: list[int] = []
    for first, *others in rows:
        told = firsts[first]
        sure = quiet and told is not None and told.untouched
        asked += [job for job in others if not sure or job < first]
    return asked
